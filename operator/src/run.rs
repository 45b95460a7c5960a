//! Puts the parts together and runs them until a signal comes.

use std::future::ready;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use futures::StreamExt;
use futures::channel::oneshot;
use futures::future::{join_all, try_join_all};
use kube::Client;
use kube::api::ListParams;
use kube::runtime::controller;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::watcher;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use userengine_api::UserEngine;
use userengine_api::labels::MANAGER;

use crate::cluster::Clients;
use crate::config::Config;
use crate::http::{self, Health};
use crate::leader::{self, Election, Fence, Standing};
use crate::metrics::Metrics;
use crate::namespaces::{Namespaces, Place};
use crate::platform::Changes;
use crate::seen::{self, Seen, Woken};
use crate::user_engine::growth::Refusals;
use crate::user_engine::inside::Insides;
use crate::user_engine::retry::Backoff;
use crate::user_engine::rollout::Rollouts;
use crate::user_engine::{self, Context};
use crate::{platform, retained, telemetry, watches};

/// Runs the operator: returns once a signal came and the work in hand is done, or fails at once when it may not lead any more.
pub fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(serve(config));
    // Nothing that is still in hand is waited for: after a clean end there is nothing, and else it must not go on.
    runtime.shutdown_background();
    ended
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let cluster = kube::Config::infer()
        .await
        .context("failed to find an API server to talk to")?;
    let metrics = Arc::new(Metrics::new()?);
    let (standing, seen) = watch::channel(Standing::Looks);
    let health = Health {
        standing: seen,
        metrics: metrics.clone(),
    };
    let listener = TcpListener::bind(config.http_addr)
        .await
        .with_context(|| format!("failed to listen on {}", config.http_addr))?;
    let stop = stop_on_signal()?;
    let pages = axum::serve(listener, http::router(health));
    let pages = pages.with_graceful_shutdown(stopped(stop.clone()));
    let pages = tokio::spawn(pages.into_future());
    let me = config.identity.clone().map_or_else(leader::nameless, Ok)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = config.namespace,
        replica = me,
        "operator started"
    );
    let fence = Fence::default();
    let clients = Clients::of(&cluster, |cluster| fence.guard(cluster))?;
    let mut election = Election::new(Client::try_from(cluster)?, &config.namespace, me, fence);
    tokio::select! {
        () = stopped(stop.clone()) => {}
        () = election.win(&standing) => {
            metrics.leads();
            lead(election, work(clients, config, metrics, standing, stop)).await?;
        }
    }
    tracing::info!("operator stopped");
    Ok(pages.await??)
}

/// Does the work while this replica leads. It is a task of its own: however much there is of it, the Lease is renewed in time.
async fn lead(
    mut election: Election,
    work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<()> {
    let worked = tokio::select! {
        biased;
        lost = election.keep() => {
            tracing::error!(%lost, "this replica may not lead any more; it stops in the middle of its work");
            return Err(lost.into());
        }
        worked = tokio::spawn(work) => worked,
    };
    election.release().await;
    worked?
}

/// Looks after the engines until told to stop.
async fn work(
    clients: Clients,
    config: Config,
    metrics: Arc<Metrics>,
    standing: watch::Sender<Standing>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let started = tokio::select! {
        () = stopped(stop.clone()) => return Ok(()),
        started = start(clients, &config, metrics) => started?,
    };
    let Started {
        sight,
        listed,
        tasks,
    } = started;
    let (tell, all_listed) = watch::channel(false);
    let lists = async {
        try_join_all(listed)
            .await
            .context("a watch ended before its first list")?;
        tell.send_replace(true);
        standing.send_replace(Standing::Leads);
        anyhow::Ok(())
    };
    // The engines are listed beside what belongs to them, and looked at after that.
    tokio::select! {
        () = engines(sight, &config, all_listed, stop) => {}
        Err(error) = lists => return Err(error),
    }
    drop(tasks);
    Ok(())
}

/// What runs once the operator leads.
struct Started {
    sight: Sight,
    /// One for each kind of child in each place, which comes once it is listed.
    listed: Vec<oneshot::Receiver<()>>,
    /// What keeps it true; they end with this value.
    tasks: JoinSet<()>,
}

/// What engines are looked at with.
struct Sight {
    context: Arc<Context>,
    /// What watches the engines.
    client: Client,
    platform_changes: Changes,
    woken: Vec<(Place, Woken)>,
}

async fn start(
    clients: Clients,
    config: &Config,
    metrics: Arc<Metrics>,
) -> anyhow::Result<Started> {
    let namespaces = &config.watch_namespaces;
    let Clients {
        requests: client,
        watches,
    } = clients;
    can_list(&client, namespaces).await;
    let mut tasks = JoinSet::new();
    let platform = platform::watch(&watches, &config.namespace, &mut tasks).await?;
    let seen = Arc::new(Seen::default());
    let (mut woken, mut leaving, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    for place in namespaces.places() {
        let told = seen::watch(&watches, &place, &seen, &mut tasks);
        woken.push((place, told.woken));
        leaving.push(told.leaving);
        listed.extend(told.listed);
    }
    tasks.spawn(retained::run(
        client.clone(),
        leaving,
        metrics.clone(),
        seen.clone(),
    ));
    let reporter = Reporter {
        controller: MANAGER.to_owned(),
        instance: None,
    };
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone(), reporter),
        classes: platform.classes,
        platform: platform.config_maps,
        client,
        operator_namespace: config.namespace.clone(),
        metrics,
        insides: Insides::default(),
        rollouts: Rollouts::default(),
        backoff: Backoff::default(),
        turns: Semaphore::new(config.concurrency.into()),
        seen,
        build: build_mark().context("failed to read the operator's own program")?,
        growths: Refusals::default(),
    });
    let sight = Sight {
        context,
        client: watches,
        platform_changes: platform.changes,
        woken,
    };
    Ok(Started {
        sight,
        listed,
        tasks,
    })
}

/// A number that differs for each build: another one may want other children of the same engine.
fn build_mark() -> std::io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    std::fs::read("/proc/self/exe")?.hash(&mut hasher);
    Ok(hasher.finish())
}

/// Returns once the definition is there and may be listed. The controller's own store cannot be asked:
/// it wakes only one of those who wait for it, and the controller waits for it itself.
async fn can_list(client: &Client, namespaces: &Namespaces) {
    let backoff = Backoff::default();
    for engines in namespaces.apis::<UserEngine>(client) {
        while let Err(error) = engines.list(&ListParams::default().limit(1)).await {
            tracing::warn!(%error, "failed to list UserEngines; trying again");
            tokio::time::sleep(backoff.next("")).await;
        }
    }
}

/// Reconciles until told to stop, and finishes what it has begun.
///
/// A controller that is told to stop before it has listed its objects waits for that list for ever, and stops listing: one that
/// has begun nothing yet is dropped.
async fn engines(
    sight: Sight,
    config: &Config,
    all_listed: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
) {
    let controllers = sight.woken.into_iter().map(|(place, woken)| {
        let context = sight.context.clone();
        let begun = Arc::new(AtomicBool::new(false));
        let has_begun = begun.clone();
        let all_listed = all_listed.clone();
        let reconcile = move |engine, context| {
            let (begun, all_listed) = (begun.clone(), all_listed.clone());
            async move {
                is_true(all_listed).await;
                begun.store(true, Ordering::Relaxed);
                user_engine::reconcile(engine, context).await
            }
        };
        let controller = watches::controller(&sight.client, &place, woken)
            .reconcile_all_on(platform::heard(sight.platform_changes.clone()))
            .with_config(controller::Config::default().concurrency(config.concurrency))
            .graceful_shutdown_on(stopped(stop.clone()));
        let results = controller.run(reconcile, user_engine::error_policy, context);
        let work = results.for_each(|result| {
            watch_result(result);
            ready(())
        });
        finished(work, has_begun, stop.clone())
    });
    join_all(controllers).await;
}

/// Returns once the work is done, or once it is to stop and nothing of it has begun.
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
    result: Result<T, controller::Error<E, watcher::Error>>,
) {
    match result {
        // A child's event may outlive its engine.
        Ok(_)
        | Err(controller::Error::ReconcilerFailed(..) | controller::Error::ObjectNotFound(_)) => {}
        Err(error) => tracing::warn!(%error, "a watch broke; it is opened again"),
    }
}

fn stop_on_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing the work in hand");
        sender.send_replace(true);
    });
    Ok(receiver)
}

async fn stopped(stop: watch::Receiver<bool>) {
    is_true(stop).await;
}

/// Returns once it is.
async fn is_true(mut told: watch::Receiver<bool>) {
    // The sender lives until it has sent.
    let _gone = told.wait_for(|told| *told).await.is_err();
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
