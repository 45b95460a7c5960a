//! The connections.

mod row;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::writing::time;
use super::{Store, StoreError, Writing};
use crate::domain::{AuthMethod, ConnectionId, ConnectionStatus, Scopes, ServerName};
use crate::vault::Sealed;

use row::{Row, Written};

/// What of a connection never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionIdentity {
    /// Its id.
    pub id: ConnectionId,
    /// The catalog's entry.
    pub server: ServerName,
    /// The prefix of its tools.
    pub alias: ServerName,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What of a connection changes, as the brain has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionState {
    /// How the server knows who calls.
    pub auth_method: AuthMethod,
    /// Where it is in its life.
    pub status: ConnectionStatus,
    /// Granted scopes.
    pub scopes: Scopes,
    /// Scopes that a call was refused for.
    pub missing_scopes: Scopes,
    /// The sealed credential; `None` until there is one.
    pub credential: Option<Sealed>,
    /// Counts every change of the credential.
    pub generation: u64,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Who issued the tokens and to which client. JSON, nothing secret.
    pub authorization: Option<String>,
    /// When a person or a caller last connected it.
    pub connected_at: Option<Timestamp>,
    /// When the access token was last refreshed.
    pub refreshed_at: Option<Timestamp>,
    /// The last thing that went wrong, in words without secrets.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Timestamp>,
}

impl ConnectionState {
    /// A connection that was never connected.
    pub fn pending(auth_method: AuthMethod) -> Self {
        Self {
            auth_method,
            status: ConnectionStatus::PendingOauth,
            scopes: Scopes::default(),
            missing_scopes: Scopes::default(),
            credential: None,
            generation: 0,
            expires_at: None,
            authorization: None,
            connected_at: None,
            refreshed_at: None,
            last_error: None,
            last_error_at: None,
        }
    }
}

impl Store {
    /// All connections, in the order in which they were made.
    pub async fn connections(
        &self,
    ) -> Result<Vec<(ConnectionIdentity, ConnectionState)>, StoreError> {
        let mut brain = self.read().await?;
        let rows = sqlx::query_as!(
            Row,
            "SELECT ref_id, server_name, alias, auth_method, status, scopes, missing_scopes, credentials, kid, generation,
                    expires_at, authorization, created_at, connected_at, refreshed_at, last_error, last_error_at
             FROM connections ORDER BY created_at, ref_id"
        )
        .fetch_all(&mut *brain)
        .await
        .map_err(StoreError::sqlite("read the connections"))?;
        rows.into_iter().map(Row::parse).collect()
    }
}

/// So many aliases are remembered after their connections were removed.
const FORMER_ALIASES: u32 = 1000;

impl Store {
    /// Aliases that connections had which were removed.
    pub async fn former_aliases(&self) -> Result<BTreeSet<ServerName>, StoreError> {
        let mut brain = self.read().await?;
        let aliases = sqlx::query_scalar!("SELECT alias FROM former_aliases")
            .fetch_all(&mut *brain)
            .await
            .map_err(StoreError::sqlite("read the former aliases"))?;
        let parsed = aliases.into_iter().map(ServerName::try_from);
        Ok(parsed.filter_map(Result::ok).collect())
    }
}

impl Writing {
    /// Remembers the alias of a connection that is removed.
    pub async fn remember_alias(
        &mut self,
        alias: &ServerName,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (alias, now) = (alias.as_str(), time(now));
        sqlx::query!(
            "INSERT OR REPLACE INTO former_aliases (alias, gone_at) VALUES (?, ?)",
            alias,
            now
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("remember an alias"))?;
        sqlx::query!(
            "DELETE FROM former_aliases WHERE alias NOT IN
                 (SELECT alias FROM former_aliases ORDER BY gone_at DESC, alias LIMIT ?)",
            FORMER_ALIASES
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("forget the oldest aliases"))?;
        Ok(())
    }

    /// Adds a connection.
    pub async fn insert_connection(
        &mut self,
        identity: &ConnectionIdentity,
        state: &ConnectionState,
    ) -> Result<(), StoreError> {
        let (id, server, alias) = (
            identity.id.as_str(),
            identity.server.as_str(),
            identity.alias.as_str(),
        );
        let created_at = time(identity.created_at);
        let (auth_method, status) = (state.auth_method.as_str(), state.status.as_str());
        sqlx::query!(
            "INSERT INTO connections (ref_id, server_name, alias, auth_method, status, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            id,
            server,
            alias,
            auth_method,
            status,
            created_at
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("add a connection"))?;
        self.save_connection(&identity.id, state).await?;
        Ok(())
    }

    /// Stores what changed. `false` if the connection is gone.
    pub async fn save_connection(
        &mut self,
        id: &ConnectionId,
        state: &ConnectionState,
    ) -> Result<bool, StoreError> {
        let row = Written::from(state);
        let id = id.as_str();
        let saved = sqlx::query!(
            "UPDATE connections SET auth_method = ?, status = ?, scopes = ?, missing_scopes = ?, credentials = ?, kid = ?,
                    generation = ?, expires_at = ?, authorization = ?, connected_at = ?, refreshed_at = ?, last_error = ?,
                    last_error_at = ?
             WHERE ref_id = ?",
            row.auth_method,
            row.status,
            row.scopes,
            row.missing_scopes,
            row.credentials,
            row.kid,
            row.generation,
            row.expires_at,
            row.authorization,
            row.connected_at,
            row.refreshed_at,
            row.last_error,
            row.last_error_at,
            id
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("store a connection"))?;
        Ok(saved.rows_affected() > 0)
    }

    /// Removes a connection with its flows, its refresh intent and its pinned tools. `false` if it was gone.
    pub async fn delete_connection(&mut self, id: &ConnectionId) -> Result<bool, StoreError> {
        let id = id.as_str();
        let deleted = sqlx::query!("DELETE FROM connections WHERE ref_id = ?", id)
            .execute(self.brain())
            .await
            .map_err(StoreError::sqlite("remove a connection"))?;
        Ok(deleted.rows_affected() > 0)
    }
}
