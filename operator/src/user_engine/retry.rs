//! How long to wait before the next try.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The wait after a race.
pub const SOON: Duration = Duration::from_millis(200);
const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_mins(5);

/// A wait for each engine that doubles with each failure in a row, so that one that fails does not tire the others.
#[derive(Default)]
pub struct Backoff(Mutex<HashMap<String, u32>>);

impl Backoff {
    /// The wait after one more failure: 1 s, doubling up to 5 min, with jitter.
    pub fn next(&self, uid: &str) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_default();
        let wait = FIRST.saturating_mul(1 << (*count).min(16)).min(MOST);
        *count += 1;
        jittered(wait, &format!("{uid}{count}"))
    }

    /// Failures in a row so far.
    pub fn failures(&self, uid: &str) -> u32 {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(uid).copied().unwrap_or_default()
    }

    /// The engine is well again, or gone.
    pub fn reset(&self, uid: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uid);
    }
}

/// Between `wait` and a quarter more, always the same for the same `seed`, so that a fleet does not move in step.
pub fn jittered(wait: Duration, seed: &str) -> Duration {
    wait + share(wait / 4, seed)
}

/// Between nothing and `wait`, always the same for the same `seed`.
pub fn share(wait: Duration, seed: &str) -> Duration {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    let share = u32::try_from(hasher.finish() % 1024).unwrap_or_default();
    wait * share / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_after_each_failure_up_to_a_ceiling() {
        let backoff = Backoff::default();
        let waits: Vec<_> = (0..20).map(|_| backoff.next("a")).collect();
        assert!(waits[0] < Duration::from_secs(2) && waits[3] >= Duration::from_secs(8));
        assert!(waits.iter().all(|wait| *wait <= MOST * 5 / 4));
        assert_eq!((backoff.failures("a"), backoff.failures("b")), (20, 0));
        backoff.reset("a");
        assert!(backoff.next("a") < Duration::from_secs(2));
    }
}
