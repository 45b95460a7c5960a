//! The last transaction of a rotation, and the entries that verify writes without one.

use jiff::Timestamp;
use serde_json::json;
use sqlx::Connection;
use userengine_api::key::Kid;
use userengine_rotation::request::RotationId;

use super::Changing;
use super::log::{self, Entry, Event, Fact};
use crate::store::StoreError;

impl Changing {
    /// Closes the rotation with its certificate, which is made from the hash of the entry before it. `None`: the rotation
    /// that is open, or its epoch, is not this one any more, and nothing was changed.
    pub async fn certify(
        &mut self,
        rotation: &RotationId,
        epoch: u64,
        to: &Kid,
        at: Timestamp,
        certificate: impl FnOnce(String) -> String,
    ) -> Result<Option<Entry>, StoreError> {
        let mut transaction = self
            .brain()
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(StoreError::sqlite("close the rotation"))?;
        let (id, kid) = (rotation.as_str(), to.as_str());
        let epoch = i64::try_from(epoch).unwrap_or(i64::MAX);
        let closed = sqlx::query!(
            "UPDATE key_state SET rotation_id = NULL, rotation_from = NULL, rotation_to = NULL, rotation_mode = NULL,
                    rotation_started_at = NULL, inventory_root = NULL, inventory_opens = NULL
             WHERE id = 1 AND rotation_id = ? AND epoch = ? AND write_kid = ?",
            id,
            epoch,
            kid
        )
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::sqlite("close the rotation"))?;
        if closed.rows_affected() != 1 {
            return Ok(None);
        }
        let (_, previous) = log::end(&mut transaction).await?;
        let fact = Fact {
            event: Event::Certified,
            rotation: Some(id),
            write_kid: to,
            details: certificate(previous),
            at,
        };
        let entry = log::append(&mut transaction, fact).await?;
        crate::failpoint::hit("rotation.certifying");
        transaction
            .commit()
            .await
            .map_err(StoreError::sqlite("close the rotation"))?;
        Ok(Some(entry))
    }

    /// Writes down that everything opened with this key alone.
    pub async fn record_verified(
        &mut self,
        kid: &Kid,
        rows: u64,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let fact = Fact {
            event: Event::Verified,
            rotation: None,
            write_kid: kid,
            details: json!({ "rows": rows }).to_string(),
            at,
        };
        log::append(self.brain(), fact).await.map(drop)
    }

    /// Writes down that a rotation that had begun was refused its certificate.
    pub async fn record_refused(
        &mut self,
        rotation: &RotationId,
        kid: &Kid,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let fact = Fact {
            event: Event::Refused,
            rotation: Some(rotation.as_str()),
            write_kid: kid,
            details: json!({ "reason": reason }).to_string(),
            at,
        };
        log::append(self.brain(), fact).await.map(drop)
    }
}
