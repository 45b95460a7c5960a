//! The controllers of the engines: one for each place.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use futures::channel::oneshot;
use futures::future::join_all;
use kube::Client;
use kube::runtime::{controller, watcher};
use tokio::sync::watch;

use crate::config::Config;
use crate::namespaces::Place;
use crate::platform::Changes;
use crate::seen::{EngineName, Woken};
use crate::stop::{is_true, stopped};
use crate::user_engine::{self, Context};
use crate::{platform, watches};

/// What engines are looked at with.
pub struct Sight {
    /// What every look shares.
    pub context: Arc<Context>,
    /// What watches the engines.
    pub client: Client,
    /// Of the classes, and of what they name.
    pub platform_changes: Changes,
    /// Where to look.
    pub places: Vec<PlaceSeen>,
}

/// One place with engines.
pub struct PlaceSeen {
    /// Which.
    pub place: Place,
    /// Whom a change of a child concerns.
    pub woken: Woken,
    /// True once everything is listed that engines have there: before that, none of them is looked at.
    pub all_listed: watch::Receiver<bool>,
}

/// Reconciles until told to stop, and finishes what it has begun.
///
/// A controller that is told to stop before it has listed its objects waits for that list for ever, and stops listing: one that
/// has begun nothing yet is dropped.
pub async fn engines(sight: Sight, config: &Config, stop: watch::Receiver<bool>) {
    let controllers = sight.places.into_iter().map(|seen| {
        let PlaceSeen {
            place,
            woken,
            all_listed,
        } = seen;
        let context = sight.context.clone();
        let begun = Arc::new(AtomicBool::new(false));
        let has_begun = begun.clone();
        let (found, is_found) = oneshot::channel();
        let listed = listed(is_found, all_listed.clone(), context.clone());
        let reconcile = move |engine, context| {
            let (begun, all_listed) = (begun.clone(), all_listed.clone());
            async move {
                is_true(all_listed).await;
                begun.store(true, Ordering::Relaxed);
                user_engine::reconcile(engine, context).await
            }
        };
        let controller = watches::controller(&sight.client, &place, woken, found)
            .reconcile_all_on(platform::heard(sight.platform_changes.clone()))
            .with_config(controller::Config::default().concurrency(config.concurrency))
            .graceful_shutdown_on(stopped(stop.clone()));
        let results = controller.run(reconcile, user_engine::error_policy, context.clone());
        let work = results.for_each(move |result| {
            watch_result(&context, result);
            ready(())
        });
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = finished(work, has_begun, stop) => {}
                () = listed => {}
            }
        }
    });
    join_all(controllers).await;
}

/// Tells that the engines of one place and all that they have there is listed; never returns.
async fn listed(
    engines: oneshot::Receiver<()>,
    children: watch::Receiver<bool>,
    context: Arc<Context>,
) {
    if engines.await.is_ok() {
        is_true(children).await;
        context.rollouts.listed();
    }
    std::future::pending::<()>().await;
}

/// Returns once the work is done, or once it is to stop and nothing of it has begun. What begins at that very moment is cut off,
/// and reads before it writes.
async fn finished(
    work: impl Future<Output = ()>,
    has_begun: Arc<AtomicBool>,
    stop: watch::Receiver<bool>,
) {
    let in_vain = async {
        stopped(stop).await;
        if has_begun.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = work => {}
        () = in_vain => {}
    }
}

/// A reconcile that failed was logged by the error policy; what else can go wrong is the queue's.
fn watch_result<T, E: std::error::Error + 'static>(
    context: &Context,
    result: Result<T, controller::Error<E, watcher::Error>>,
) {
    match result {
        Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
        // Gone without our having been told: the answer to our last write was lost, or somebody else let it go.
        Err(controller::Error::ObjectNotFound(engine)) => {
            let namespace = engine.namespace.as_deref().unwrap_or_default();
            user_engine::forget(context, &EngineName::new(namespace, &engine.name));
        }
        Err(error) => tracing::warn!(%error, "a watch broke; it is opened again"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    const AWHILE: Duration = Duration::from_hours(1);

    #[tokio::test(start_paused = true)]
    async fn work_that_never_begins_does_not_keep_the_operator_from_ending() {
        let (tell, told) = watch::channel(false);
        let lists_for_ever = std::future::pending::<()>();
        let mut ending = Box::pin(finished(lists_for_ever, Arc::default(), told));
        assert!(timeout(AWHILE, &mut ending).await.is_err(), "not told yet");
        tell.send_replace(true);
        timeout(AWHILE, ending).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_has_begun_is_finished() {
        let (tell, told) = watch::channel(true);
        let (done, work) = oneshot::channel();
        let work = async { work.await.unwrap() };
        let begun = Arc::new(AtomicBool::new(true));
        let mut ending = Box::pin(finished(work, begun, told));
        assert!(timeout(AWHILE, &mut ending).await.is_err(), "it is at work");
        done.send(()).unwrap();
        timeout(AWHILE, ending).await.unwrap();
        drop(tell);
    }
}
