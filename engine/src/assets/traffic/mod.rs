//! What goes through one connection, and what holds it back: permits, breaker, the server's own limits, the session.
//!
//! Nothing here is shared between connections, and no lock is held while anybody waits: a server that hangs slows no other.

mod gate;
mod open;
mod probe;
mod session;
mod verdict;

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;

use super::breaker::BreakerStatus;
use super::tools::ToolCache;
use crate::clock::Clock;
use crate::config::Limits;
use crate::domain::ServerName;
use crate::metrics::ConnectionGauges;

use gate::Gate;
pub(super) use gate::Held;
pub(super) use session::Slot;
pub(super) use verdict::{failure, verdict};

/// Session, breaker and permits of one connection.
#[derive(Debug)]
pub struct Traffic {
    /// Calls that are being made. Only `Places` changes it, which counts them all.
    under_way: AtomicUsize,
    pub(super) gate: Gate,
    pub(super) slot: Slot,
    pub(super) tools: ToolCache,
}

/// The breaker of a connection, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct BreakerState {
    /// `closed`, `open` or `half_open`.
    pub state: &'static str,
    /// Failures within the window.
    pub failures: u32,
    /// When it opened; `null` while it is closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opened_at: Option<Timestamp>,
    /// Seconds until the next call may go through: the breaker's wait, or what the server asked for; `null` if none is asked.
    pub retry_after: Option<u64>,
}

impl Traffic {
    /// Nothing has gone through yet.
    pub fn new(limits: Limits, clock: Clock) -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            gate: Gate::new(limits.breaker, clock),
            slot: Slot::default(),
            tools: ToolCache::default(),
        }
    }

    /// The breaker now.
    pub fn breaker_state(&self) -> BreakerState {
        self.gate.state()
    }

    /// Tools of the server that are not offered, each with the reason.
    pub fn hidden_tools(&self) -> Vec<super::tools::HiddenTool> {
        let list = self.tools.known();
        list.map(|list| list.hidden.clone()).unwrap_or_default()
    }

    /// Forgets the session, the list of tools and what the breaker and the server's rate limit remember: the next call
    /// begins anew. To be called when a connection was connected again or was removed.
    pub fn reset(&self) {
        self.slot.clear();
        self.tools.clear();
        self.gate.reset();
    }

    /// What monitoring sees.
    pub(super) fn gauges(&self, alias: &ServerName) -> ConnectionGauges {
        ConnectionGauges {
            alias: alias.to_string(),
            breaker: match self.gate.status() {
                BreakerStatus::Closed => 0,
                BreakerStatus::HalfOpen => 1,
                BreakerStatus::Open => 2,
            },
            tools: self.tools.known().map(|list| list.counts()),
        }
    }

    /// Calls that are being made.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl BreakerStatus {
    /// The name in the API and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}
