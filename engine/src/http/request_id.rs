//! An id for each request, in its answer and in every log line about it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Request;
use axum::http::HeaderValue;

pub(super) const REQUEST_ID: &str = "x-request-id";
const LONGEST: usize = 64;
/// Odd, so that all numbers come before one comes again: 2^64 divided by the golden ratio.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The id of a request, for handlers.
#[derive(Debug, Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// Takes over the caller's id if it is harmless in a log, else makes one.
    pub(super) fn of(request: &Request) -> Self {
        let given = request.headers().get(REQUEST_ID);
        Self(given.filter(|id| is_safe(id)).cloned().unwrap_or_else(make))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(super) fn into_header(self) -> HeaderValue {
        self.0
    }
}

fn is_safe(id: &HeaderValue) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id
            .as_bytes()
            .iter()
            .all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(c))
}

/// An id only tells requests apart, those of other runs too: from a random start, without asking for more randomness.
fn make() -> HeaderValue {
    static FIRST: OnceLock<u64> = OnceLock::new();
    static MADE: AtomicU64 = AtomicU64::new(0);
    let first = FIRST.get_or_init(|| getrandom::u64().unwrap_or_default());
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let id = first.wrapping_add(made.wrapping_mul(STRIDE));
    HeaderValue::from_str(&format!("{id:016x}")).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_over_only_what_is_harmless_in_a_log() {
        let long = "a".repeat(65);
        for (id, expected) in [
            ("a-B_9.z", true),
            ("", false),
            ("a b", false),
            ("a\"}", false),
            (long.as_str(), false),
        ] {
            assert_eq!(
                is_safe(&HeaderValue::from_str(id).unwrap()),
                expected,
                "{id:?}"
            );
        }
    }

    #[test]
    fn makes_another_id_each_time() {
        let made: std::collections::HashSet<_> = (0..1000).map(|_| make()).collect();
        assert_eq!(made.len(), 1000);
        assert!(made.iter().all(|id| id.len() == 16 && is_safe(id)));
    }
}
