//! How often the stream of notices is opened again. rmcp waits as long as the server says, which may be no time at all.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// Spaces openings: a second apart, twice as far each time, until a stream has lived for a while.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Option<Last>>);

#[derive(Debug, Clone, Copy)]
struct Last {
    opened: Instant,
    pause: Duration,
}

impl Pace {
    /// Waits until a stream may be opened.
    pub async fn keep(&self) {
        let next = self.next();
        // Even a timer for this moment takes a millisecond, and what a server says before the stream is there is lost.
        if next > Instant::now() {
            tokio::time::sleep_until(next).await;
        }
    }

    fn next(&self) -> Instant {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let next = match *last {
            Some(Last { opened, pause }) if now.duration_since(opened) < LONGEST => Last {
                opened: now.max(opened + pause),
                pause: (pause * 2).min(LONGEST),
            },
            _ => Last {
                opened: now,
                pause: SHORTEST,
            },
        };
        *last = Some(next);
        next.opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn opens_at_once_and_then_ever_more_slowly_until_a_stream_lives() {
        let (pace, began) = (Pace::default(), Instant::now());
        let mut openings = Vec::new();
        for _ in 0..5 {
            pace.keep().await;
            openings.push(began.elapsed().as_secs());
        }
        assert_eq!(openings, [0, 1, 3, 7, 15]);
        tokio::time::advance(LONGEST).await;
        let again = Instant::now();
        pace.keep().await;
        assert_eq!(again.elapsed(), Duration::ZERO);
    }
}
