//! What a call passes before it is made: the server's own rate limit, then the breaker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::AbortHandle;

use super::BreakerState;
use crate::assets::FailureReason;
use crate::assets::breaker::{Breaker, BreakerSettings, BreakerStatus, Pass, Probe, Verdict};
use crate::clock::Clock;

/// The longest that a server's `Retry-After` is obeyed: more looks like a mistake, and a new connect forgets it anyway.
const LONGEST_HOLD: Duration = Duration::from_hours(1);

/// A breaker that knows the time.
#[derive(Debug)]
pub(in crate::assets) struct Gate {
    settings: BreakerSettings,
    clock: Clock,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    breaker: Breaker,
    hold: Option<Hold>,
    opened_at: Option<Timestamp>,
    prober: Option<AbortHandle>,
}

/// The server asked for a pause.
#[derive(Debug, Clone, Copy)]
struct Hold {
    until: Duration,
    reason: FailureReason,
}

/// A call is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::assets) struct Held {
    pub(in crate::assets) reason: FailureReason,
    pub(in crate::assets) retry_after: Duration,
}

impl Gate {
    pub(super) fn new(settings: BreakerSettings, clock: Clock) -> Self {
        Self {
            settings,
            clock,
            inner: Mutex::new(Inner::new(settings)),
        }
    }

    /// May a call be made now?
    pub(in crate::assets) fn admit(&self) -> Result<Pass, Held> {
        let now = self.clock.since_start();
        let inner = self.lock();
        if let Some(hold) = inner.hold.filter(|hold| now < hold.until) {
            return Err(Held {
                reason: hold.reason,
                retry_after: hold.until.saturating_sub(now),
            });
        }
        inner.breaker.admit(now).map_err(|refused| Held {
            reason: FailureReason::CircuitOpen,
            retry_after: refused.retry_after,
        })
    }

    /// What a call learned of the server. `true` if that opened the breaker: somebody has to probe now.
    pub(in crate::assets) fn report(&self, pass: Pass, verdict: Verdict) -> bool {
        let now = self.clock.since_start();
        let mut inner = self.lock();
        let opened = inner.breaker.report(now, pass, verdict);
        if opened {
            inner.opened_at = Some(self.clock.now());
        }
        opened
    }

    /// The server asked to be left alone for so long.
    pub(in crate::assets) fn hold(&self, reason: FailureReason, pause: Duration) {
        let until = self.clock.since_start() + pause.min(LONGEST_HOLD);
        let mut inner = self.lock();
        // A late answer to an earlier call must not shorten what a newer one asked for.
        if inner.hold.is_none_or(|hold| hold.until < until) {
            inner.hold = Some(Hold { until, reason });
        }
    }

    /// How long until the next probe; `None` if there is nothing to probe for.
    pub(super) fn next_probe(&self) -> Option<Duration> {
        let now = self.clock.since_start();
        let inner = self.lock();
        let due = inner.breaker.next_probe()?;
        // A server that asked for a pause gets it from probes, too.
        let due = inner.hold.map_or(due, |hold| hold.until.max(due));
        Some(due.saturating_sub(now))
    }

    /// The one probe. Whoever asks has waited until it is due.
    pub(super) fn begin_probe(&self) -> Option<Probe> {
        let now = self.clock.since_start();
        let mut inner = self.lock();
        let due = inner.breaker.next_probe()?;
        inner.breaker.begin_probe(now.max(due))
    }

    /// `true` if the breaker is closed now.
    pub(super) fn probed(&self, probe: Probe, verdict: Verdict) -> bool {
        let now = self.clock.since_start();
        let mut inner = self.lock();
        let closed = inner.breaker.probed(now, probe, verdict);
        if closed {
            inner.opened_at = None;
        }
        closed
    }

    /// Replaces the task that probes.
    pub(super) fn set_prober(&self, prober: AbortHandle) {
        if let Some(old) = self.lock().prober.replace(prober) {
            old.abort();
        }
    }

    pub(super) fn reset(&self) {
        let old = std::mem::replace(&mut *self.lock(), Inner::new(self.settings));
        drop(old);
    }

    pub(super) fn state(&self) -> BreakerState {
        let now = self.clock.since_start();
        let inner = self.lock();
        let held = inner.hold.map(|hold| hold.until.saturating_sub(now));
        let refused = inner.breaker.admit(now).err().map(|no| no.retry_after);
        let wait = held
            .max(refused)
            .filter(|wait| !wait.is_zero() || refused.is_some());
        BreakerState {
            state: inner.breaker.status().as_str(),
            failures: inner.breaker.failures(now),
            opened_at: inner.opened_at,
            retry_after: wait.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
        }
    }

    /// Where the breaker is, for metrics.
    pub(in crate::assets) fn status(&self) -> BreakerStatus {
        self.lock().breaker.status()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn new(settings: BreakerSettings) -> Self {
        Self {
            breaker: Breaker::new(settings, chance),
            hold: None,
            opened_at: None,
            prober: None,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(prober) = &self.prober {
            prober.abort();
        }
    }
}

/// From 0 to 1. Without a random source all engines look at the same time, which is no reason to fail.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}
