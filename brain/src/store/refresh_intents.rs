//! Refreshes that were begun: a row says that the provider may have got the refresh token.

use std::collections::BTreeSet;

use jiff::Timestamp;
use userengine_api::key::Kid;

use super::writing::time;
use super::{Store, StoreError, Writing};
use crate::domain::ConnectionId;

impl Store {
    /// The connections whose last refresh came to no end.
    pub async fn refresh_intents(&self) -> Result<BTreeSet<ConnectionId>, StoreError> {
        let mut brain = self.read().await?;
        let ids = sqlx::query_scalar!("SELECT ref_id FROM refresh_intents")
            .fetch_all(&mut *brain)
            .await
            .map_err(StoreError::sqlite("read the refresh intents"))?;
        ids.into_iter()
            .map(|id| {
                id.try_into()
                    .map_err(|_| StoreError::Inconsistent("a connection's id is malformed"))
            })
            .collect()
    }
}

impl Writing {
    /// Says that a refresh begins, and which key will seal its answer. `false` if the connection is gone.
    pub async fn begin_refresh(
        &mut self,
        id: &ConnectionId,
        generation: u64,
        write_kid: &Kid,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, kid, now) = (id.as_str(), write_kid.as_str(), time(now));
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        let begun = sqlx::query!(
            "INSERT OR REPLACE INTO refresh_intents (ref_id, generation, write_kid, started_at)
             SELECT ref_id, ?, ?, ? FROM connections WHERE ref_id = ?",
            generation,
            kid,
            now,
            id
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("write the refresh intent"))?;
        Ok(begun.rows_affected() > 0)
    }

    /// Says that the refresh came to an end.
    pub async fn end_refresh(&mut self, id: &ConnectionId) -> Result<(), StoreError> {
        let id = id.as_str();
        sqlx::query!("DELETE FROM refresh_intents WHERE ref_id = ?", id)
            .execute(self.brain())
            .await
            .map_err(StoreError::sqlite("delete the refresh intent"))?;
        Ok(())
    }
}
