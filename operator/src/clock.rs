//! The only place that reads the time.

use jiff::Timestamp;

/// Now, to the second: what Kubernetes keeps of a time.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
