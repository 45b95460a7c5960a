//! The background writer: one commit for all that waits.

use std::sync::Weak;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Map;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::record::time;
use crate::clock::Clock;
use crate::store::{AuditOutcome, NewAuditRow, Store, StoreError};

/// How long a queued row waits for others.
pub(super) const WINDOW: Duration = Duration::from_millis(50);
/// Pause after a commit that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Rows in one commit.
const BATCH: usize = 4096;
/// Rows are kept this long.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);
/// As many rows are kept, the newest.
const KEPT: u32 = 1_000_000;
/// Old rows that are deleted in one go: the brain's other writers wait no longer than that takes.
const TRIM: u32 = 500;
const TRIM_EVERY: Duration = Duration::from_hours(1);
/// After so many new rows old ones are deleted without waiting for the hour.
const TRIM_AFTER: usize = 10_000;

/// What may wait.
#[derive(Debug)]
pub(super) enum Queued {
    Row(Box<NewAuditRow>),
    Outcome(Box<AuditOutcome>),
}

/// What somebody waits for.
#[derive(Debug)]
pub(super) enum Urgent {
    /// The reply is the row's id; `None` if it could not be stored.
    Row(Box<NewAuditRow>, oneshot::Sender<Option<i64>>),
    Drain(oneshot::Sender<()>),
}

/// The writer's state.
#[derive(Debug)]
pub(super) struct Writer {
    store: Weak<Store>,
    clock: Clock,
    rows: Vec<NewAuditRow>,
    outcomes: Vec<AuditOutcome>,
    since_trim: usize,
    failing: bool,
}

impl Writer {
    pub(super) fn new(store: Weak<Store>, clock: Clock) -> Self {
        Self {
            store,
            clock,
            rows: Vec::new(),
            outcomes: Vec::new(),
            since_trim: 0,
            failing: false,
        }
    }

    /// Writes until the last sender is gone. An idle writer wakes once an hour.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Queued>,
        mut urgent: mpsc::Receiver<Urgent>,
    ) {
        let mut trim = interval(TRIM_EVERY);
        trim.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flush_at = None;
        loop {
            tokio::select! {
                biased;
                asked = urgent.recv() => match asked {
                    Some(asked) => self.serve(asked, &mut urgent, &mut queue).await,
                    None => return,
                },
                () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {
                    flush_at = self.flush_queue(&mut queue).await;
                }
                // Only the first row wakes the writer; the others are there when the window ends.
                Some(item) = queue.recv(), if flush_at.is_none() => {
                    self.take(item);
                    flush_at = Some(Instant::now() + WINDOW);
                }
                _ = trim.tick() => self.trim().await,
            }
        }
    }

    fn take(&mut self, item: Queued) {
        match item {
            Queued::Row(row) => self.rows.push(*row),
            Queued::Outcome(outcome) => self.outcomes.push(*outcome),
        }
    }

    /// Commits what is queued. Gives when to try again if more is queued, or if it failed.
    async fn flush_queue(&mut self, queue: &mut mpsc::Receiver<Queued>) -> Option<Instant> {
        while self.rows.len() + self.outcomes.len() < BATCH {
            match queue.try_recv() {
                Ok(item) => self.take(item),
                Err(_) => break,
            }
        }
        let wait = match (self.flush().await, queue.len()) {
            (false, _) => RETRY,
            (true, 0) => return None,
            (true, BATCH..) => Duration::ZERO,
            // They came while the others were written: a commit each would be for a few rows only.
            (true, _) => WINDOW,
        };
        Some(Instant::now() + wait)
    }

    async fn flush(&mut self) -> bool {
        if self.rows.is_empty() && self.outcomes.is_empty() {
            return true;
        }
        let Some(store) = self.store.upgrade() else {
            return false;
        };
        let stored = store
            .append_audit_and_outcomes(&self.rows, &self.outcomes)
            .await;
        let done = self.noted(stored).is_some();
        if done {
            self.since_trim += self.rows.len();
            self.rows.clear();
            self.outcomes.clear();
            if self.since_trim >= TRIM_AFTER {
                self.trim().await;
            }
        }
        done
    }

    /// One durable commit for everybody who waits now.
    async fn serve(
        &mut self,
        first: Urgent,
        urgent: &mut mpsc::Receiver<Urgent>,
        queue: &mut mpsc::Receiver<Queued>,
    ) {
        let (mut rows, mut replies, mut drains) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(asked) = next {
            match asked {
                Urgent::Row(row, reply) => {
                    rows.push(*row);
                    replies.push(reply);
                }
                Urgent::Drain(reply) => drains.push(reply),
            }
            next = urgent.try_recv().ok();
        }
        if !rows.is_empty() {
            self.since_trim += rows.len();
            self.store_now(&rows, replies).await;
        }
        if !drains.is_empty() {
            while self.flush_queue(queue).await.is_some() && !self.failing {}
            for drained in drains {
                let _ = drained.send(());
            }
        }
    }

    async fn store_now(
        &mut self,
        rows: &[NewAuditRow],
        replies: Vec<oneshot::Sender<Option<i64>>>,
    ) {
        let stored = match self.store.upgrade() {
            Some(store) => store.append_audit(rows).await,
            None => return,
        };
        let Some(ids) = self.noted(stored) else {
            // Dropped replies say it.
            return;
        };
        for (id, reply) in ids.into_iter().zip(replies) {
            if reply.send(Some(id)).is_err() {
                // Whoever asked gave up, so the call was not made.
                self.outcomes.push(AuditOutcome {
                    id,
                    outcome: "not_called".into(),
                    duration_ms: 0,
                    details: Map::new(),
                });
            }
        }
    }

    /// Tells once that commits fail, and once that they work again.
    fn noted<T>(&mut self, outcome: Result<T, StoreError>) -> Option<T> {
        match outcome {
            Ok(value) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("audit rows are stored again");
                }
                Some(value)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "failed to store audit rows: writes are refused until it works");
                }
                None
            }
        }
    }

    async fn trim(&mut self) {
        self.since_trim = 0;
        let Some(store) = self.store.upgrade() else {
            return;
        };
        let oldest = self.clock.now().saturating_sub(KEPT_FOR);
        let oldest = time(oldest.unwrap_or(jiff::Timestamp::MIN));
        loop {
            match store.trim_audit(&oldest, KEPT, TRIM).await {
                Ok(deleted) if deleted >= u64::from(TRIM) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "failed to delete old audit rows");
                    return;
                }
            }
        }
    }
}
