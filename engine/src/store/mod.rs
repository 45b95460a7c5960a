//! The brain: the only place that names sqlx.
//!
//! `open` is the way in and `close` the way out; everything that the engine knows for longer than a
//! request is behind this module.

mod canary;
mod close;
mod connect;
mod create;
mod error;
mod examine;
mod identity;
mod key_state;
mod lock;
mod open;
mod paths;
mod private_copy;
mod schema;

use sqlx::SqlitePool;

pub use error::{OpenError, StoreError};
pub use identity::Identity;
pub use key_state::KeyReport;
pub use open::{Opened, open};

use lock::BrainLock;

/// An open brain. One connection writes; a few others only read.
#[derive(Debug)]
pub struct Store {
    writer: SqlitePool,
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
