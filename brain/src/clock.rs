//! The only place that reads the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The time of day, and the time since the process started. Tests move theirs by hand.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System {
        started: Instant,
    },
    Manual {
        started: Timestamp,
        passed_ms: AtomicU64,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(Source::System {
            started: Instant::now(),
        }))
    }

    /// A clock that stands at `started` until it is moved.
    pub fn manual(started: Timestamp) -> Self {
        Self(Arc::new(Source::Manual {
            started,
            passed_ms: AtomicU64::new(0),
        }))
    }

    /// Moves a manual clock on; a system clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { passed_ms, .. } = self.0.as_ref() {
            passed_ms.fetch_add(
                u64::try_from(by.as_millis()).unwrap_or(u64::MAX),
                Ordering::SeqCst,
            );
        }
    }

    /// The time of day.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        match self.0.as_ref() {
            Source::System { .. } => Timestamp::now(),
            Source::Manual { started, .. } => started
                .saturating_add(self.since_start())
                .unwrap_or(Timestamp::MAX),
        }
    }

    /// The time since the clock was made. Never runs backwards.
    pub fn since_start(&self) -> Duration {
        match self.0.as_ref() {
            Source::System { started } => started.elapsed(),
            Source::Manual { passed_ms, .. } => {
                Duration::from_millis(passed_ms.load(Ordering::SeqCst))
            }
        }
    }
}

/// For logs: milliseconds, to the microsecond.
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
