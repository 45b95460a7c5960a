//! The brain: the only place that names sqlx.
//!
//! `open` is the way in and `close` the way out; everything that the engine knows for longer than a
//! request is behind this module.

mod audit;
mod canary;
mod close;
mod config;
mod connect;
mod connections;
mod create;
mod error;
mod examine;
#[cfg(feature = "failpoints")]
mod faults;
mod identity;
mod key_state;
mod lock;
mod oauth_clients;
mod oauth_flows;
mod open;
mod paths;
mod pending_revocations;
mod private_copy;
mod refresh_intents;
pub mod rotation;
mod schema;
mod tool_pins;
mod writer;
mod writing;

use sqlx::SqlitePool;

pub use audit::{AuditOutcome, AuditRow, NewAuditRow};
pub use config::{BrainConfig, BrainMode};
pub use connections::{ConnectionIdentity, ConnectionState};
pub use error::{OpenError, StoreError};
pub use identity::Identity;
pub use key_state::{KeyCounts, KeyReport, LastVerify};
pub use oauth_clients::RegisteredClient;
pub use oauth_flows::Flow;
pub use open::{Opened, open};
pub use pending_revocations::PendingRevocation;
pub use tool_pins::{NewToolPin, ToolPin};
pub use writing::Writing;

use lock::BrainLock;
use writer::Writer;

/// An open brain. One connection writes; a few others only read.
#[derive(Debug)]
pub struct Store {
    writer: Writer,
    reader: SqlitePool,
    identity: Identity,
    /// Held until the store is dropped; the kernel releases it when the process dies.
    _lock: BrainLock,
}

impl Store {
    /// Whose brain this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}
