//! Counts of the last seconds.

use std::time::Duration;

/// The window is counted in this many parts; it forgets one part at a time.
const PARTS: usize = 30;
/// The same, as time is counted.
const SPAN: u64 = 30;

/// Successes and failures within a sliding window. Takes the same memory however many there are.
#[derive(Debug, Clone)]
pub(super) struct Window {
    part: Duration,
    counts: [Count; PARTS],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Which part of time this is, counted from the start of the process.
    number: u64,
    pub(super) succeeded: u32,
    pub(super) failed: u32,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self {
            part: (length / 30).max(Duration::from_millis(1)),
            counts: [Count::default(); PARTS],
        }
    }

    pub(super) fn add(&mut self, now: Duration, failed: bool) {
        let number = self.number(now);
        let index = usize::try_from(number % SPAN).unwrap_or_default();
        let Some(count) = self.counts.get_mut(index) else {
            return;
        };
        // A report may come late from a task that read the time before another: it must not clear what is newer.
        if count.number < number {
            *count = Count {
                number,
                ..Count::default()
            };
        }
        let field = if failed {
            &mut count.failed
        } else {
            &mut count.succeeded
        };
        *field = field.saturating_add(1);
    }

    pub(super) fn total(&self, now: Duration) -> Count {
        let number = self.number(now);
        let recent = |count: &&Count| count.number + SPAN > number;
        self.counts
            .iter()
            .filter(recent)
            .fold(Count::default(), |total, count| Count {
                number,
                succeeded: total.succeeded.saturating_add(count.succeeded),
                failed: total.failed.saturating_add(count.failed),
            })
    }

    pub(super) fn clear(&mut self) {
        self.counts = [Count::default(); PARTS];
    }

    fn number(&self, now: Duration) -> u64 {
        u64::try_from(now.as_nanos() / self.part.as_nanos().max(1)).unwrap_or(u64::MAX / 2)
    }
}
