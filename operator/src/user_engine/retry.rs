//! How long to wait before the next try.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The wait after a race.
const SOON: Duration = Duration::from_millis(200);
const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(30);

/// Races in a row that are put down to chance. Whoever loses more of them is in somebody's way.
const CHANCE: u32 = 5;

/// A wait for each engine that doubles with each failure in a row, so that one that fails does not tire the others.
#[derive(Default)]
pub struct Backoff(Mutex<HashMap<String, InARow>>);

/// What happened to an engine since it was last well.
#[derive(Clone, Copy, Default)]
struct InARow {
    failures: u32,
    races: u32,
}

impl Backoff {
    fn all(&self) -> MutexGuard<'_, HashMap<String, InARow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wait after one more failure: 1 s, doubling up to 30 s, with jitter.
    pub fn next(&self, engine: &str) -> Duration {
        let mut all = self.all();
        let failures = &mut all.entry(engine.to_owned()).or_default().failures;
        let wait = FIRST.saturating_mul(1 << (*failures).min(16)).min(MOST);
        *failures += 1;
        jittered(wait, &format!("{engine}{failures}"))
    }

    /// The wait after a race was lost; many in a row count as failures.
    pub fn after_race(&self, engine: &str) -> Duration {
        let races = {
            let mut all = self.all();
            let races = &mut all.entry(engine.to_owned()).or_default().races;
            *races += 1;
            *races
        };
        if races > CHANCE {
            return self.next(engine);
        }
        jittered(SOON, &format!("{engine}{races}"))
    }

    /// Failures in a row so far.
    pub fn failures(&self, engine: &str) -> u32 {
        self.all()
            .get(engine)
            .map(|it| it.failures)
            .unwrap_or_default()
    }

    /// The engine is well again, or gone.
    pub fn reset(&self, engine: &str) {
        self.all().remove(engine);
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
        let longest = Duration::from_millis(37_500);
        assert!(waits[10] >= Duration::from_secs(30) && waits.iter().all(|wait| *wait <= longest));
        assert_eq!((backoff.failures("a"), backoff.failures("b")), (20, 0));
        backoff.reset("a");
        assert!(backoff.next("a") < Duration::from_secs(2));
    }

    #[test]
    fn those_that_failed_together_are_not_tried_again_together() {
        let backoff = Backoff::default();
        let waits: Vec<_> = (0..1000)
            .map(|each| backoff.next(&each.to_string()).as_millis())
            .collect();
        for from in (1000..1250).step_by(25) {
            let within = waits
                .iter()
                .filter(|wait| (from..from + 25).contains(*wait));
            let share = within.count();
            assert!((50..200).contains(&share), "{from} ms: {share}");
        }
    }

    #[test]
    fn a_race_is_tried_again_at_once_unless_all_of_them_are_lost() {
        let backoff = Backoff::default();
        let waits: Vec<_> = (0..20).map(|_| backoff.after_race("a")).collect();
        let (soon, later) = waits.split_at(5);
        assert!(soon.iter().all(|wait| *wait <= SOON * 5 / 4));
        assert!(later.iter().all(|wait| *wait >= FIRST) && later[10] >= MOST);
        assert_eq!(backoff.failures("a"), 15);
        backoff.reset("a");
        assert!(backoff.after_race("a") <= SOON * 5 / 4);
    }
}
