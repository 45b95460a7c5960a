//! Authorizations that a person has not finished.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::writing::{parse_time, sealed, time};
use super::{Store, StoreError, Writing};
use crate::domain::ConnectionId;
use crate::vault::Sealed;

/// One authorization in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// SHA-256 of its `state`, in hex: whoever reads the brain learns no `state`.
    pub state_hash: String,
    /// The connection that it is for.
    pub connection: ConnectionId,
    /// The sealed PKCE verifier.
    pub verifier: Sealed,
    /// Provider, client, redirect URI and scopes. JSON, nothing secret.
    pub request: String,
    /// Where the person goes in the end.
    pub return_url: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
}

impl Store {
    /// Until when each connection has an authorization in progress.
    pub async fn open_flows(&self) -> Result<BTreeMap<ConnectionId, Timestamp>, StoreError> {
        let mut brain = self.read().await?;
        let rows = sqlx::query!(
            r#"SELECT ref_id AS "ref_id!", MAX(expires_at) AS "expires_at!: String" FROM oauth_flows GROUP BY ref_id"#
        )
        .fetch_all(&mut *brain)
        .await
        .map_err(StoreError::sqlite("read the authorizations"))?;
        let parse = |ref_id, text: &str| Ok((connection_id(ref_id)?, parse_time(text)?));
        rows.into_iter()
            .map(|row| parse(row.ref_id, &row.expires_at))
            .collect()
    }
}

impl Writing {
    /// Adds an authorization and drops the oldest ones beyond `most`.
    pub async fn insert_flow(&mut self, flow: &Flow, most: u32) -> Result<(), StoreError> {
        let (connection, verifier, kid) = (
            flow.connection.as_str(),
            flow.verifier.token.as_str(),
            flow.verifier.kid.as_str(),
        );
        let (created_at, expires_at) = (time(flow.created_at), time(flow.expires_at));
        sqlx::query!(
            "INSERT INTO oauth_flows (state_hash, ref_id, verifier, kid, request, return_url, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            flow.state_hash,
            connection,
            verifier,
            kid,
            flow.request,
            flow.return_url,
            created_at,
            expires_at
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("add an authorization"))?;
        sqlx::query!(
            "DELETE FROM oauth_flows WHERE state_hash NOT IN
                 (SELECT state_hash FROM oauth_flows ORDER BY created_at DESC, state_hash LIMIT ?)",
            most
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("drop the oldest authorizations"))?;
        Ok(())
    }

    /// Takes an authorization out: it is there for whoever asks first, and never again.
    pub async fn take_flow(&mut self, state_hash: &str) -> Result<Option<Flow>, StoreError> {
        let row = sqlx::query!(
            r#"DELETE FROM oauth_flows WHERE state_hash = ?
               RETURNING ref_id AS "ref_id!", verifier AS "verifier!", kid AS "kid!", request AS "request!", return_url,
                         created_at AS "created_at!", expires_at AS "expires_at!""#,
            state_hash
        )
        .fetch_optional(self.brain())
        .await
        .map_err(StoreError::sqlite("take an authorization"))?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Flow {
            state_hash: state_hash.to_owned(),
            connection: connection_id(row.ref_id)?,
            verifier: sealed(row.verifier, &row.kid)?,
            request: row.request,
            return_url: row.return_url,
            created_at: parse_time(&row.created_at)?,
            expires_at: parse_time(&row.expires_at)?,
        }))
    }

    /// Drops the authorizations that are too late. Gives how many.
    pub async fn delete_late_flows(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let now = time(now);
        let deleted = sqlx::query!("DELETE FROM oauth_flows WHERE expires_at <= ?", now)
            .execute(self.brain())
            .await
            .map_err(StoreError::sqlite("drop late authorizations"))?;
        Ok(deleted.rows_affected())
    }

    /// Until when a connection has an authorization in progress.
    pub async fn open_flow_until(
        &mut self,
        id: &ConnectionId,
    ) -> Result<Option<Timestamp>, StoreError> {
        let id = id.as_str();
        let text = sqlx::query_scalar!(
            r#"SELECT MAX(expires_at) AS "expires_at: String" FROM oauth_flows WHERE ref_id = ?"#,
            id
        )
        .fetch_one(self.brain())
        .await
        .map_err(StoreError::sqlite("read the authorizations"))?;
        text.as_deref().map(parse_time).transpose()
    }
}

fn connection_id(text: String) -> Result<ConnectionId, StoreError> {
    text.try_into()
        .map_err(|_| StoreError::Inconsistent("a connection's id is malformed"))
}
