//! The start: what the brain knows becomes what the process knows.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use super::background::Background;
use super::call::Places;
use super::limit::Limiter;
use super::{Connections, Directory, Inner, Parts};
use crate::domain::{AuthMethod, ConnectionId, ConnectionStatus};
use crate::store::{ConnectionState, StoreError};

impl Directory {
    /// Loads all connections. Nothing is opened that is sealed: one bad credential is no reason not to start.
    pub async fn load(parts: Parts) -> Result<Self, StoreError> {
        let former = parts.store.former_aliases().await?;
        let loaded = parts.store.connections().await?;
        let flows = parts.store.open_flows().await?;
        let interrupted = parts.store.refresh_intents().await?;
        let revocations = parts.store.pending_revocations().await?;
        let directory = Self(Arc::new(Inner {
            connections: RwLock::new(Connections {
                former,
                ..Connections::default()
            }),
            background: Background::default(),
            connecting: tokio::sync::Mutex::default(),
            callbacks: Limiter::callbacks(parts.clock.clone()),
            places: Places::new(parts.config.limits),
            parts,
        }));
        for (identity, state) in loaded {
            let until = flows.get(&identity.id).copied();
            let connection = directory.add(identity, honest(state));
            connection.set_pending_until(until);
            directory.plan(&connection);
        }
        directory.resume(&interrupted);
        if !revocations.is_empty() {
            directory.plan_revocation();
        }
        directory.count();
        Ok(directory)
    }

    /// A refresh that came to no end may have spent its refresh token: it is tried again at once, to know.
    fn resume(&self, interrupted: &BTreeSet<ConnectionId>) {
        for id in interrupted {
            if let Some(connection) = self.connection(id) {
                tracing::warn!(ref_id = %id, "a refresh was cut off: trying it again");
                connection.schedule().refresh_at = Some(self.now());
            }
        }
    }
}

/// A rotation may have set the credential of a connection aside.
fn honest(mut state: ConnectionState) -> ConnectionState {
    let needs_one = state.auth_method != AuthMethod::None;
    if state.status == ConnectionStatus::Connected && needs_one && state.credential.is_none() {
        state.status = ConnectionStatus::Expired;
        state.last_error = Some("its stored credential is gone or damaged".to_owned());
    }
    state
}
