//! The only place that reads the time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Now, to the second: what Kubernetes keeps of most times.
pub fn now() -> Timestamp {
    let now = exactly();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Now, with its fractions: a Lease keeps microseconds.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn exactly() -> Timestamp {
    Timestamp::now()
}

/// What is left at `now` of a time of this length that began then; `None` if it is over, or has not begun: then the clock that
/// told its beginning is so far from ours that nobody can say.
pub fn left_of(length: SignedDuration, began: Timestamp, now: Timestamp) -> Option<Duration> {
    let age = now.duration_since(began);
    let is_within = (SignedDuration::ZERO..length).contains(&age);
    Duration::try_from(length - age).ok().filter(|_| is_within)
}
