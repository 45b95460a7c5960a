//! What wakes a reconcile: changes of an engine, and of anything that belongs to one.

use std::time::Duration;

use kube::Client;
use kube::runtime::Controller;
use kube::runtime::utils::Backoff;

use crate::cluster::watching;
use crate::namespaces::Place;
use crate::seen::{EngineSketch, Woken};

/// Objects of one page of a list: the page is in memory at once.
pub const PAGE: u32 = 100;

/// A controller of the `UserEngine`s of one place that wakes up for every child. An engine's children are in its namespace,
/// so that controllers of different places have nothing to do with each other.
pub fn controller(client: &Client, place: &Place, woken: Woken) -> Controller<EngineSketch> {
    Controller::new(place.api(client), watching().page_size(PAGE))
        .trigger_backoff(Reopening::default())
        .reconcile_on(woken)
}

/// The wait before broken watches are opened again. All of them share it, and while it lasts no change of any engine is seen:
/// kube's own, which grows to 30 s, kept a restarted API server's engines unseen for minutes.
#[derive(Debug, Default)]
pub struct Reopening {
    failures: u32,
}

impl Reopening {
    const FIRST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(1);
}

impl Iterator for Reopening {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = Self::FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        Some(wait.min(Self::MOST))
    }
}

impl Backoff for Reopening {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_watches_are_opened_again_within_a_second_however_often_they_broke() {
        let mut reopening = Reopening::default();
        let waits: Vec<_> = reopening.by_ref().take(100).collect();
        assert_eq!(waits[0], Reopening::FIRST);
        assert!(waits.is_sorted() && waits.iter().all(|wait| *wait <= Reopening::MOST));
        reopening.reset();
        assert_eq!(reopening.next(), Some(Reopening::FIRST));
    }
}
