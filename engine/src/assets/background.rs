//! What happens without a request: refreshes before tokens end, ends of tokens, late authorizations, revocations.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Connection, Directory};
use crate::domain::ConnectionStatus;
use crate::store::StoreError;

/// Never asleep for longer while something is planned: the clock may jump, and a machine may sleep.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
const SOON: Duration = Duration::from_secs(1);
/// How long a stop waits for what must not be cut: longer than the slowest answer of a provider and the commit after it.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// The tasks of a directory.
#[derive(Debug, Default)]
pub(super) struct Background {
    tasks: TaskTracker,
    stopping: CancellationToken,
    wake: Notify,
    revocations: Mutex<Revocations>,
}

/// When tokens of removed connections are revoked next.
#[derive(Debug, Default)]
struct Revocations {
    at: Option<Timestamp>,
    under_way: bool,
}

impl Directory {
    /// Starts what happens without a request.
    pub fn start(&self) {
        self.tasks().spawn(self.follow_catalog());
        let directory = self.clone();
        self.0.background.tasks.spawn(async move {
            let stopping = directory.0.background.stopping.clone();
            loop {
                let next = directory.run_due().await;
                let slept = async {
                    match next {
                        Some(next) => sleep(next.min(LONGEST_SLEEP)).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = directory.0.background.wake.notified() => {}
                    () = slept => {}
                }
            }
        });
    }

    /// Plans nothing any more. What is under way goes on.
    pub fn begin_stop(&self) {
        self.0.background.stopping.cancel();
    }

    /// Waits for everything that must not be cut: a token between the provider's answer and the commit.
    pub async fn finish(&self) {
        self.begin_stop();
        self.0.background.tasks.close();
        if timeout(STOP_WITHIN, self.0.background.tasks.wait())
            .await
            .is_err()
        {
            tracing::error!(
                "cut tasks that did not end: a token may be lost, and its connection has to be made again"
            );
        }
    }

    /// Does what is due now and gives the time until something is due again. For tests, which move the clock by hand.
    pub async fn run_due(&self) -> Option<Duration> {
        let now = self.now();
        let mut next: Option<Timestamp> = None;
        for connection in self.connections() {
            let at = self.look_after(&connection, now).await;
            next = [next, at].into_iter().flatten().min();
        }
        let next = [next, self.begin_revoking(now)].into_iter().flatten().min();
        next.map(|at| until(self.now(), at))
    }

    /// One connection: gives when it needs to be looked at again.
    async fn look_after(&self, connection: &Arc<Connection>, now: Timestamp) -> Option<Timestamp> {
        let pending = connection.pending_until();
        if pending.is_some_and(|until| until <= now) {
            self.drop_late_flows(connection).await;
        }
        let refresh_at = connection.schedule().refresh_at;
        if refresh_at.is_some_and(|at| at <= now) && !connection.is_refreshing() {
            let begun = self.begin_refresh(connection);
            // Its end plans and wakes. If it may not begin yet, it is tried again soon.
            let again = (!begun).then(|| now + SOON);
            return [again, connection.pending_until()]
                .into_iter()
                .flatten()
                .min();
        }
        let refresh_at = refresh_at.filter(|at| *at > now);
        [refresh_at, connection.pending_until()]
            .into_iter()
            .flatten()
            .min()
    }

    async fn drop_late_flows(&self, connection: &Arc<Connection>) {
        let now = self.now();
        let dropped = async {
            let mut writing = self.store.write().await?;
            let dropped = writing.delete_late_flows(now).await?;
            let until = writing.open_flow_until(&connection.id).await?;
            writing.commit().await?;
            Ok::<_, StoreError>((dropped, until))
        };
        match dropped.await {
            Ok((_, until)) => {
                connection.set_pending_until(until);
                connection.forget_step_up();
                if until.is_none() && connection.state().status != ConnectionStatus::Connected {
                    let why = "nobody finished the authorization in time";
                    self.note_failed_authorization(connection, why).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "failed to drop late authorizations");
                connection.set_pending_until(Some(now + LONGEST_SLEEP));
            }
        }
    }

    /// Revocations are slow, and nothing waits for them. Gives when they are due, unless they are under way.
    fn begin_revoking(&self, now: Timestamp) -> Option<Timestamp> {
        let mut revocations = self.revocations();
        let at = revocations.at.filter(|_| !revocations.under_way)?;
        if at > now {
            return Some(at);
        }
        (revocations.under_way, revocations.at) = (true, None);
        let directory = self.clone();
        self.tasks().spawn(async move {
            let next = directory.revoke_due().await;
            let mut revocations = directory.revocations();
            revocations.under_way = false;
            // Another one may have come in meanwhile.
            revocations.at = [revocations.at, next].into_iter().flatten().min();
            drop(revocations);
            directory.wake();
        });
        None
    }

    /// Are tokens being revoked at this moment?
    pub fn is_revoking(&self) -> bool {
        self.revocations().under_way
    }

    /// Tokens are waiting to be revoked.
    pub(super) fn plan_revocation(&self) {
        self.revocations().at = Some(self.now());
        self.wake();
    }

    fn revocations(&self) -> MutexGuard<'_, Revocations> {
        self.0
            .background
            .revocations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the engine was told to stop.
    pub(super) async fn stopping(&self) {
        self.0.background.stopping.cancelled().await;
    }

    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.0.background.tasks
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.background.stopping.is_cancelled()
    }

    /// Something was planned.
    pub(super) fn wake(&self) {
        self.0.background.wake.notify_one();
    }
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    let left: SignedDuration = at.duration_since(now);
    Duration::try_from(left).unwrap_or_default()
}
