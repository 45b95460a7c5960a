//! Until when to wait.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::FetchError;

/// A moment, and the limit that it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    after: Duration,
}

impl Deadline {
    pub(super) fn after(after: Duration) -> Self {
        let at = Instant::now() + after;
        Self { at, after }
    }

    pub(super) fn earlier(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// `None` if the moment came first.
    pub(super) async fn keep<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.at, work).await.ok()
    }

    pub(super) fn missed_by(self, host: &str) -> FetchError {
        FetchError::Timeout {
            host: host.to_owned(),
            after: self.after,
        }
    }
}
