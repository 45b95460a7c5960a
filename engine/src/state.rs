//! What handlers share, and where an engine is in its life.

use std::sync::Arc;

use jiff::Timestamp;

use crate::access::Access;
use crate::assets::Directory;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use crate::vault::Vault;

/// Everything that a request may need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
#[derive(Debug)]
pub struct Parts {
    /// The brain.
    pub store: Arc<Store>,
    /// Seals and opens.
    pub vault: Arc<Vault>,
    /// The connections to MCP servers.
    pub assets: Directory,
    /// The accepted API keys.
    pub access: Access,
    /// Counts.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// When the brain was open.
    pub started_at: Timestamp,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Tries the brain and the ring, now.
    pub async fn check(&self) -> Checked {
        let write_kid = self.store.write_kid().await;
        let ring = match &write_kid {
            Ok(kid) => self.store.open_canary(&self.vault, kid).await,
            Err(_) => Err(StoreError::Inconsistent("the write key is unknown")),
        };
        for error in write_kid
            .as_ref()
            .err()
            .into_iter()
            .chain(ring.as_ref().err())
        {
            tracing::error!(%error, "a subsystem is bad");
        }
        Checked {
            database: write_kid.is_ok(),
            asset_directory: ring.is_ok(),
        }
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The brain answered a query.
    pub database: bool,
    /// The write key is in the ring and opens the canary.
    pub asset_directory: bool,
}

impl Checked {
    /// Does everything work?
    pub fn all(self) -> bool {
        self.database && self.asset_directory
    }
}

/// Where an engine is in its life. The internal listener answers in all of them.
#[derive(Debug, Clone)]
pub enum Phase {
    /// The brain is being opened.
    Starting,
    /// Requests are answered.
    Serving(App),
    /// No new request is taken; those in flight are finished.
    Draining(App),
}
