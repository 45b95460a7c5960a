//! Limits on how often something happens, by the engine's own clock.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::Clock;

/// A bucket that fills with time.
pub(crate) struct Limiter {
    bucket: RateLimiter<NotKeyed, InMemoryState, Monotonic, NoOpMiddleware<Duration>>,
    clock: Clock,
}

/// It happens too often. Again after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooOften(pub(crate) Duration);

struct Monotonic(Clock);

impl governor::clock::Clock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.since_start()
    }
}

impl Limiter {
    /// The callback has no key, so anybody may ask: 20 a second, 40 at once.
    pub(crate) fn callbacks(clock: Clock) -> Self {
        Self::new(Quota::per_second(count(20)).allow_burst(count(40)), clock)
    }

    /// A server that refuses every token must not make the engine refresh at each call: 2 a minute, 20 at once.
    pub(crate) fn refused_tokens(clock: Clock) -> Self {
        Self::new(Quota::per_minute(count(2)).allow_burst(count(20)), clock)
    }

    fn new(quota: Quota, clock: Clock) -> Self {
        Self {
            bucket: RateLimiter::direct_with_clock(quota, Monotonic(clock.clone())),
            clock,
        }
    }

    /// Counts one.
    pub(crate) fn check(&self) -> Result<(), TooOften> {
        self.bucket
            .check()
            .map_err(|until| TooOften(until.wait_time_from(self.clock.since_start())))
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limiter")
    }
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_burst_passes_and_the_next_has_to_wait_for_the_clock() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let limiter = Limiter::callbacks(clock.clone());
        assert!((0..40).all(|_| limiter.check().is_ok()));
        assert_eq!(limiter.check(), Err(TooOften(Duration::from_millis(50))));
        clock.advance(Duration::from_millis(50));
        assert!(limiter.check().is_ok() && limiter.check().is_err());
    }
}
