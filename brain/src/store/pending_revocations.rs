//! Tokens of connections that are gone, still to be revoked at the provider.

use jiff::Timestamp;

use super::writing::{parse_time, sealed, time};
use super::{Store, StoreError, Writing};
use crate::domain::{ConnectionId, ServerName};
use crate::vault::Sealed;

/// What is still to be revoked of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRevocation {
    /// Its own id.
    pub id: String,
    /// The connection that is gone.
    pub connection: ConnectionId,
    /// Its server.
    pub server: ServerName,
    /// Endpoint, client and tokens, sealed.
    pub request: Sealed,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// When it is given up.
    pub give_up_at: Timestamp,
}

impl Store {
    /// Everything that is still to be revoked, in the order in which it is due.
    pub async fn pending_revocations(&self) -> Result<Vec<PendingRevocation>, StoreError> {
        let mut brain = self.read().await?;
        let rows = sqlx::query!(
            "SELECT id, ref_id, server_name, request, kid, attempts, next_at, give_up_at
             FROM pending_revocations ORDER BY next_at, id"
        )
        .fetch_all(&mut *brain)
        .await
        .map_err(StoreError::sqlite("read the revocations"))?;
        let malformed = || StoreError::Inconsistent("a revocation is malformed");
        rows.into_iter()
            .map(|row| {
                Ok(PendingRevocation {
                    id: row.id,
                    connection: row.ref_id.try_into().map_err(|_| malformed())?,
                    server: row.server_name.try_into().map_err(|_| malformed())?,
                    request: sealed(row.request, &row.kid)?,
                    attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
                    next_at: parse_time(&row.next_at)?,
                    give_up_at: parse_time(&row.give_up_at)?,
                })
            })
            .collect()
    }
}

impl Writing {
    /// Adds a revocation.
    pub async fn insert_revocation(
        &mut self,
        revocation: &PendingRevocation,
    ) -> Result<(), StoreError> {
        let (connection, server) = (revocation.connection.as_str(), revocation.server.as_str());
        let (request, kid) = (
            revocation.request.token.as_str(),
            revocation.request.kid.as_str(),
        );
        let (next_at, give_up_at) = (time(revocation.next_at), time(revocation.give_up_at));
        sqlx::query!(
            "INSERT INTO pending_revocations (id, ref_id, server_name, request, kid, attempts, next_at, give_up_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            revocation.id,
            connection,
            server,
            request,
            kid,
            revocation.attempts,
            next_at,
            give_up_at
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("add a revocation"))?;
        Ok(())
    }

    /// Puts a revocation off after a try that failed.
    pub async fn postpone_revocation(
        &mut self,
        id: &str,
        attempts: u32,
        next_at: Timestamp,
    ) -> Result<(), StoreError> {
        let next_at = time(next_at);
        sqlx::query!(
            "UPDATE pending_revocations SET attempts = ?, next_at = ? WHERE id = ?",
            attempts,
            next_at,
            id
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("put a revocation off"))?;
        Ok(())
    }

    /// Removes a revocation that came to an end.
    pub async fn delete_revocation(&mut self, id: &str) -> Result<(), StoreError> {
        sqlx::query!("DELETE FROM pending_revocations WHERE id = ?", id)
            .execute(self.brain())
            .await
            .map_err(StoreError::sqlite("remove a revocation"))?;
        Ok(())
    }
}
