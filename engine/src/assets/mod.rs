//! The connections of this engine: how they come to be, stay fresh, carry calls and end.
//!
//! [`Directory`] is the door. `connection` holds what is known of one connection; `connect`, `callback`, `refresh`, `scope`
//! and `disconnect` change it, each first in the brain and then in the process (`change`); `background` does what needs no
//! request, `catalog_change` what follows from another catalog; `traffic` guards what goes through a connection (breaker,
//! bulkhead, session); `tools` and `call` use it.

pub mod audit;
mod background;
mod breaker;
mod call;
mod callback;
mod catalog_change;
mod change;
mod connect;
mod connection;
mod credential;
mod disconnect;
mod error;
pub mod events;
mod grant;
mod limit;
mod load;
mod refresh;
mod revocation;
mod scope;
mod tools;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

pub use audit::{Audit, AuditKind, Record};
pub use breaker::{BreakerSettings, BreakerStatus};
pub use call::ToolCall;
pub use callback::{CallbackQuery, Ending, Finished};
pub use connect::{ConnectRequest, Connected};
pub use connection::Connection;
pub use credential::ConnectionCredential;
pub use error::{AssetError, FailureReason};
pub use events::{EventKind, Events};
pub use tools::{ChangedTool, HiddenTool, Listed};
pub use traffic::{BreakerState, Traffic};

pub use crate::store::{ConnectionIdentity, ConnectionState};

use jiff::Timestamp;

use background::Background;
use call::Places;
use limit::Limiter;

use crate::catalog::{Entry, LiveCatalog};
use crate::clock::Clock;
use crate::config::ConnectorsConfig;
use crate::domain::{ConnectionId, ConnectionStatus, ServerName};
use crate::egress::Egress;
use crate::mcp::CredentialSource;
use crate::metrics::{ConnectionGauges, Metrics};
use crate::store::Store;
use crate::vault::Vault;

/// All connections, and all that they need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Inner>);

/// The parts of a [`Directory`].
#[derive(Debug)]
pub struct Parts {
    /// The brain.
    pub store: Arc<Store>,
    /// Seals and opens.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Clock,
    /// The way out.
    pub egress: Egress,
    /// Which servers there are.
    pub catalog: Arc<LiveCatalog>,
    /// Counts.
    pub metrics: Metrics,
    /// What was done.
    pub audit: Audit,
    /// Who listens.
    pub events: Events,
    /// The callback URL and the engine's name.
    pub config: ConnectorsConfig,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    connections: RwLock<Connections>,
    background: Background,
    /// Taken while a connection is added, so that an alias goes to one of two.
    connecting: tokio::sync::Mutex<()>,
    callbacks: Limiter,
    places: Places,
}

#[derive(Debug, Default)]
struct Connections {
    by_id: BTreeMap<ConnectionId, Arc<Connection>>,
    /// Aliases that had a connection once.
    former: BTreeSet<ServerName>,
}

/// A [`Directory`] for tasks that must not keep it.
#[derive(Debug, Clone)]
struct WeakDirectory(Weak<Inner>);

impl WeakDirectory {
    fn upgrade(&self) -> Option<Directory> {
        self.0.upgrade().map(Directory)
    }
}

impl Directory {
    fn downgrade(&self) -> WeakDirectory {
        WeakDirectory(Arc::downgrade(&self.0))
    }

    /// All connections, by id.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        self.read().by_id.values().cloned().collect()
    }

    /// What monitoring sees of each connection.
    pub fn gauges(&self) -> Vec<ConnectionGauges> {
        let connections = self.connections();
        connections
            .iter()
            .map(|connection| connection.traffic.gauges(&connection.alias))
            .collect()
    }

    /// One connection.
    pub fn connection(&self, id: &ConnectionId) -> Option<Arc<Connection>> {
        self.read().by_id.get(id).cloned()
    }

    /// The connection with this alias.
    pub fn by_alias(&self, alias: &ServerName) -> Option<Arc<Connection>> {
        let connections = self.read();
        connections
            .by_id
            .values()
            .find(|connection| connection.alias == *alias)
            .cloned()
    }

    /// Might a caller mean a connection by this alias, although there is none now: did one have it, or does a server in the
    /// catalog have this name?
    pub fn was_connected(&self, alias: &ServerName) -> bool {
        self.read().former.contains(alias) || self.catalog.current().servers.contains_key(alias)
    }

    /// The catalog's entry of a connection, if it can be used.
    pub fn entry(&self, connection: &Connection) -> Result<Arc<Entry>, AssetError> {
        let unavailable = |why: String| AssetError::ServerUnavailable {
            server: connection.server.to_string(),
            why,
        };
        let catalog = self.catalog.current();
        let entry = catalog
            .servers
            .get(&connection.server)
            .ok_or_else(|| unavailable("the catalog no longer has it".to_owned()))?;
        match &entry.unavailable {
            Some(why) => Err(unavailable(why.clone())),
            None => Ok(entry.clone()),
        }
    }

    /// What a session with the server of a connection opens its credential with, for each request anew.
    pub fn credential_source(&self, connection: &Arc<Connection>) -> Arc<dyn CredentialSource> {
        let (vault, catalog) = (self.vault.clone(), self.catalog.clone());
        Arc::new(ConnectionCredential::new(vault, catalog, connection))
    }

    /// May another request come to the callback now? It has no key, so it is counted. Otherwise gives the time to wait.
    pub fn admit_callback(&self) -> Result<(), std::time::Duration> {
        self.0.callbacks.check().map_err(|too_often| too_often.0)
    }

    /// The time, as exact as the brain keeps it: what is told before and after a restart is the same.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn add(&self, identity: ConnectionIdentity, state: ConnectionState) -> Arc<Connection> {
        let connection = Arc::new(Connection::new(
            identity,
            state,
            self.config.limits,
            self.clock.clone(),
        ));
        let mut connections = self.write();
        connections
            .by_id
            .insert(connection.id.clone(), connection.clone());
        connection
    }

    fn forget(&self, connection: &Connection) {
        let mut connections = self.write();
        connections.by_id.remove(&connection.id);
        connections.former.insert(connection.alias.clone());
    }

    fn new_identity(
        &self,
        server: &ServerName,
        alias: &ServerName,
    ) -> Result<ConnectionIdentity, AssetError> {
        let mut bytes = [0; 20];
        getrandom::fill(&mut bytes).map_err(|_| AssetError::NoRandomness)?;
        Ok(ConnectionIdentity {
            id: ConnectionId::from_random(bytes),
            server: server.clone(),
            alias: alias.clone(),
            created_at: self.now(),
        })
    }

    async fn connecting(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.connecting.lock().await
    }

    /// Tells the metrics how many connections have each status.
    fn count(&self) {
        use ConnectionStatus::{Connected, Expired, PendingOauth, Revoked};
        let connections = self.connections();
        for status in [PendingOauth, Connected, Expired, Revoked] {
            let of_status = connections
                .iter()
                .filter(|connection| connection.state().status == status);
            self.metrics.connections(status.as_str(), of_status.count());
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Connections> {
        let connections = &self.0.connections;
        connections.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Connections> {
        let connections = &self.0.connections;
        connections.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for Directory {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}
