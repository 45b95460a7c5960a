//! Disconnect: gone at once, and revoked at the provider as soon as it answers.

use std::sync::Arc;

use super::credential::Document;
use super::{AssetError, AuditKind, Connection, Directory, EventKind, Record};
use crate::domain::ConnectionId;
use crate::failpoint;
use crate::store::{ConnectionState, StoreError, Writing};

impl Directory {
    /// Removes a connection. Its tokens go, in the same transaction, to those that are revoked in the background.
    pub async fn disconnect(&self, id: &ConnectionId) -> Result<(), AssetError> {
        let directory = self.clone();
        let not_found = || AssetError::ConnectionNotFound(id.to_string());
        let connection = self.connection(id).ok_or_else(not_found)?;
        // To the end even if the caller goes away: what the brain has and what the process has must not differ.
        let task = self
            .tasks()
            .spawn(async move { remove(&directory, &connection).await });
        if task.await.map_err(|_| AssetError::Interrupted)?? {
            Ok(())
        } else {
            Err(not_found())
        }
    }
}

async fn remove(directory: &Directory, connection: &Arc<Connection>) -> Result<bool, AssetError> {
    let turn = connection.turn.lock().await;
    let state = connection.state();
    let mut writing = directory.store.write().await?;
    let revoked = add_revocation(directory, &mut writing, connection, &state).await?;
    if !writing.delete_connection(&connection.id).await? {
        return Ok(false);
    }
    let now = directory.now();
    writing.remember_alias(&connection.alias, now).await?;
    let record = Record::about(AuditKind::Disconnected, connection)
        .detail("alias", connection.alias.as_str())
        .detail("revocation", if revoked { "pending" } else { "none" });
    writing.audit(&[record.at(now)]).await?;
    failpoint::hit("disconnect.written");
    writing.commit().await?;
    failpoint::hit("disconnect.stored");
    directory.forget(connection);
    drop(turn);
    connection.traffic.reset();
    tracing::info!(ref_id = %connection.id, server = %connection.server, alias = %connection.alias, "disconnected");
    directory
        .events
        .connection(EventKind::ConnectionDisconnected, connection);
    directory.count();
    directory.plan_revocation();
    Ok(true)
}

/// Tokens that do not open cannot be revoked, and are no reason to keep the connection.
async fn add_revocation(
    directory: &Directory,
    writing: &mut Writing,
    connection: &Connection,
    state: &ConnectionState,
) -> Result<bool, StoreError> {
    let Some(sealed) = &state.credential else {
        return Ok(false);
    };
    match Document::open(&directory.vault, &connection.id, sealed) {
        Ok(document) => {
            directory
                .revoke_later(writing, connection, state, &document)
                .await
        }
        Err(problem) => {
            tracing::warn!(ref_id = %connection.id, problem, "removed a connection without revoking its tokens");
            Ok(false)
        }
    }
}
