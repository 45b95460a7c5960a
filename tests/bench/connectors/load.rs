//! Callers that call without a pause, and what they saw.

use std::thread;
use std::time::{Duration, Instant};

use super::caller::{Caller, Door};
use crate::machine::milliseconds;

/// Calls of one cell.
pub struct Seen {
    /// How long each took, in milliseconds, from the fastest to the slowest.
    sorted: Vec<f64>,
    /// From the first call to the end of the last.
    took: Duration,
}

impl Seen {
    /// This part of the calls was not slower.
    pub fn percentile(&self, percent: usize) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let found = self
            .sorted
            .get((self.sorted.len() * percent / 100).min(last));
        found.copied().unwrap_or(f64::NAN)
    }

    /// Calls a second.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.sorted.len() as f64 / self.took.as_secs_f64()
    }

    /// How many calls.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }
}

/// `callers` at once, for a time or until `most` calls are made. One wrong answer is an error of the whole.
pub fn run(door: &Door, callers: usize, time: Duration, most: usize) -> anyhow::Result<Seen> {
    let mut ready = (0..callers)
        .map(|_| Caller::open(door))
        .collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    let one = |caller: &mut Caller| -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::with_capacity(most.div_ceil(callers).min(1 << 16));
        while began.elapsed() < time && times.len() * callers < most {
            let start = Instant::now();
            caller.call()?;
            times.push(milliseconds(start.elapsed()));
        }
        Ok(times)
    };
    let results: Vec<anyhow::Result<Vec<f64>>> = thread::scope(|scope| {
        let all: Vec<_> = ready
            .iter_mut()
            .map(|caller| scope.spawn(|| one(caller)))
            .collect();
        let ended = all.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|times| times.unwrap_or_else(|_| Err(anyhow::anyhow!("a caller panicked"))))
            .collect()
    });
    let took = began.elapsed();
    let mut sorted: Vec<f64> = results.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    sorted.sort_by(f64::total_cmp);
    Ok(Seen { sorted, took })
}
