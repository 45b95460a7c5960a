//! The audit: what was done, with which outcome.
//!
//! The row of a write is durable before the call is made (`store`), so a call never runs unseen. All other rows are
//! queued and committed together every 50 ms (`record`, `finish`): a crash may lose that window.

mod record;
mod writer;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use record::whole_milliseconds;
pub use record::{AuditKind, Record};
use writer::{Queued, Urgent, Writer};

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{AuditOutcome, Store};

/// Rows that may wait for the next commit. Beyond it (a disk that hangs) rows are lost, and counted.
const QUEUE: usize = 8192;
/// Calls that may wait for their row to be durable; a call waits for a place, too.
const URGENT: usize = 64;
/// Longest wait for a durable row.
const DURABLE_WITHIN: Duration = Duration::from_secs(5);

/// Takes rows. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: mpsc::Sender<Queued>,
    urgent: mpsc::Sender<Urgent>,
    clock: Clock,
    metrics: Metrics,
}

/// A row could not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit row could not be stored")]
pub struct AuditUnavailable;

/// The row of a call that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditId(i64);

impl Audit {
    /// Starts the background writer. It ends with the last clone, and holds the brain only while it writes.
    pub fn start(store: &Arc<Store>, clock: Clock, metrics: Metrics) -> Self {
        let (queue, queued) = mpsc::channel(QUEUE);
        let (urgent, urgently) = mpsc::channel(URGENT);
        let writer = Writer::new(Arc::downgrade(store), clock.clone());
        tokio::spawn(writer.run(queued, urgently));
        Self(Arc::new(Inner {
            queue,
            urgent,
            clock,
            metrics,
        }))
    }

    /// Stores a row within 50 ms. Does not wait.
    pub fn record(&self, record: Record) {
        self.queue(Queued::Row(Box::new(record.at(self.0.clock.now()))));
    }

    /// Stores a row; it is durable when this returns.
    pub async fn store(&self, record: Record) -> Result<AuditId, AuditUnavailable> {
        let (reply, stored) = oneshot::channel();
        let row = record.at(self.0.clock.now());
        let stored = async {
            let urgent = Urgent::Row(Box::new(row), reply);
            self.0.urgent.send(urgent).await.ok()?;
            stored.await.ok()?
        };
        match timeout(DURABLE_WITHIN, stored).await {
            Ok(Some(id)) => Ok(AuditId(id)),
            _ => Err(AuditUnavailable),
        }
    }

    /// Adds the outcome to a stored row, within 50 ms.
    pub fn finish(
        &self,
        id: AuditId,
        outcome: impl Into<Cow<'static, str>>,
        took: Duration,
        details: Map<String, Value>,
    ) {
        self.queue(Queued::Outcome(Box::new(AuditOutcome {
            id: id.0,
            outcome: outcome.into(),
            duration_ms: whole_milliseconds(took),
            details,
        })));
    }

    /// Stores everything that is queued. The last thing before the brain is handed over.
    pub async fn drain(&self) {
        let (reply, drained) = oneshot::channel();
        if self.0.urgent.send(Urgent::Drain(reply)).await.is_ok() {
            // An error means that the writer is gone, and with it the queue.
            let _ = drained.await;
        }
    }

    fn queue(&self, item: Queued) {
        if self.0.queue.try_send(item).is_err() {
            self.0.metrics.audit_row_lost();
        }
    }
}

#[cfg(test)]
mod tests;
