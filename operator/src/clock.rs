//! The only place that reads the time.

use jiff::Timestamp;

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
