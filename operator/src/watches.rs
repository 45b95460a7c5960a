//! What wakes a reconcile: changes of an engine, and of anything that belongs to one.

use std::time::Duration;

use futures::TryStreamExt as _;
use futures::channel::{mpsc, oneshot};
use kube::Client;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{Event, watcher};
use kube::runtime::{Controller, WatchStreamExt as _, reflector};

use crate::cluster::watching;
use crate::namespaces::Place;
use crate::seen::{EngineSketch, Woken};

/// Objects of one page of a list: the page is in memory at once.
pub const PAGE: u32 = 100;

/// A controller of the `UserEngine`s of one place that wakes up for every child. An engine's children are in its namespace,
/// so that controllers of different places have nothing to do with each other. `found` is told when the engines are listed first.
///
/// While another list is read after the first, page by page, the engines of each page are looked at with what was known before
/// it: the list is known at its end. So all are woken then.
pub fn controller(
    client: &Client,
    place: &Place,
    woken: Woken,
    found: oneshot::Sender<()>,
) -> Controller<EngineSketch> {
    let (reader, writer) = reflector::store();
    let (tell, lists) = mpsc::unbounded();
    let mut found = Some(found);
    let engines = watcher(place.api(client), watching().page_size(PAGE))
        .reflect(writer)
        .inspect_ok(move |event| {
            if matches!(event, Event::InitDone) {
                // Unheard only by an operator that ends.
                let _unheard = match found.take() {
                    Some(found) => found.send(()).ok(),
                    None => tell.unbounded_send(()).ok(),
                };
            }
        })
        .applied_objects();
    Controller::for_stream(engines, reader)
        .trigger_backoff(Reopening::default())
        .reconcile_all_on(lists)
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
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::StreamExt as _;
    use kube::ResourceExt as _;
    use kube::runtime::controller::Action;
    use serde_json::{Value, json};
    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;
    use crate::simulated::{failure, server};

    const AWHILE: Duration = Duration::from_secs(30);

    fn engine(name: &str, version: u32) -> Value {
        let metadata = json!({ "namespace": "team", "name": name, "uid": name, "resourceVersion": version.to_string() });
        json!({ "apiVersion": "userengine.dev/v1alpha1", "kind": "UserEngine", "metadata": metadata })
    }

    fn page(items: &[Value], rest: &str) -> Value {
        let metadata = json!({ "resourceVersion": "9", "continue": rest });
        json!({ "apiVersion": "userengine.dev/v1alpha1", "kind": "UserEngineList", "metadata": metadata, "items": items })
    }

    /// An API server whose first watch ends because it knows no longer what came before. The list after that has two pages, the
    /// second of which comes when it is told.
    fn forgetful(second_page: Arc<Notify>) -> Client {
        let requests = Arc::new(AtomicUsize::new(0));
        server(move |request| {
            let (number, second_page) = (
                requests.fetch_add(1, Ordering::Relaxed),
                second_page.clone(),
            );
            let is_watch = request.uri().to_string().contains("watch=true");
            async move {
                let answer = match (number, is_watch) {
                    (0, false) => page(&[engine("alice", 1)], ""),
                    (1, true) => json!({ "type": "ERROR", "object": failure(410, "Expired").1 }),
                    (2, false) => page(&[engine("alice", 2)], "more"),
                    (3, false) => {
                        second_page.notified().await;
                        page(&[engine("bob", 3)], "")
                    }
                    _ => std::future::pending().await,
                };
                (200, answer)
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn engines_that_changed_unseen_are_looked_at_as_they_are_however_many_pages_list_them() {
        let second_page = Arc::new(Notify::new());
        let (_wake, woken) = mpsc::unbounded();
        let (tell, mut looks) = mpsc::unbounded();
        let reconcile = move |engine: Arc<EngineSketch>, _| {
            let look = (engine.name_any(), engine.resource_version().unwrap());
            tell.unbounded_send(look).unwrap();
            std::future::ready(Ok::<_, Infallible>(Action::await_change()))
        };
        let controller = controller(
            &forgetful(second_page.clone()),
            &Place::Everywhere,
            woken,
            oneshot::channel().0,
        );
        let policy = |_, _: &Infallible, _| Action::await_change();
        let work = controller.run(reconcile, policy, Arc::new(()));
        let work = tokio::spawn(work.for_each(|_| std::future::ready(())));
        let mut next = async || {
            let look = timeout(AWHILE, looks.next()).await;
            let (name, version) = look.expect("an engine is not looked at").unwrap();
            format!("{name} {version}")
        };
        // Its second look, for the first page of the second list, sees what was known before.
        assert_eq!([next().await, next().await], ["alice 1", "alice 1"]);
        second_page.notify_one();
        let mut looked_at = [next().await, next().await];
        looked_at.sort();
        assert_eq!(looked_at, ["alice 2", "bob 3"]);
        work.abort();
    }

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
