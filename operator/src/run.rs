//! Puts the parts together and runs them until a signal comes.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use futures::{StreamExt, TryFutureExt};
use kube::runtime::controller;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use userengine_api::EngineClass;
use userengine_api::labels::MANAGER;

use crate::config::Config;
use crate::http::{self, Health};
use crate::metrics::Metrics;
use crate::user_engine::{self, Context};
use crate::{retained, telemetry, watches};

/// Runs the operator: returns once a signal came and the work in hand is done.
pub fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let client = Client::try_default()
        .await
        .context("failed to find an API server to talk to")?;
    let metrics = Arc::new(Metrics::new()?);
    let health = Health {
        ready: Arc::new(AtomicBool::new(false)),
        metrics: metrics.clone(),
    };
    let listener = TcpListener::bind(config.http_addr)
        .await
        .with_context(|| format!("failed to listen on {}", config.http_addr))?;
    let stop = stop_on_signal()?;
    let pages = axum::serve(listener, http::router(health.clone()))
        .with_graceful_shutdown(stopped(stop.clone()));

    let (classes, class_events) = classes(&client);
    let reporter = Reporter {
        controller: MANAGER.to_owned(),
        instance: None,
    };
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone(), reporter),
        classes: classes.clone(),
        client: client.clone(),
        operator_namespace: config.namespace.clone(),
        metrics: metrics.clone(),
        insides: user_engine::inside::Insides::default(),
        backoff: user_engine::retry::Backoff::default(),
    });
    let releases = tokio::spawn(retained::run(client.clone(), metrics));
    // Without the classes every engine would look as if its class were missing.
    let first_classes = tokio::spawn(class_events);
    classes
        .wait_until_ready()
        .await
        .context("failed to list EngineClasses")?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = config.namespace,
        "operator started"
    );
    let engines = engines(&client, context, &config, health.ready, stop);
    let (served, ()) = tokio::join!(pages.into_future().map_err(anyhow::Error::from), engines);
    releases.abort();
    first_classes.abort();
    tracing::info!("operator stopped");
    served
}

/// The classes, kept in memory, and the task that keeps them true.
fn classes(
    client: &Client,
) -> (
    Store<EngineClass>,
    impl Future<Output = ()> + Send + 'static,
) {
    let (store, writer) = reflector::store();
    let events = watcher(
        Api::<EngineClass>::all(client.clone()),
        watcher::Config::default(),
    )
    .default_backoff();
    (
        store,
        events
            .reflect(writer)
            .applied_objects()
            .for_each(|_| ready(())),
    )
}

async fn engines(
    client: &Client,
    context: Arc<Context>,
    config: &Config,
    is_ready: Arc<AtomicBool>,
    stop: watch::Receiver<bool>,
) {
    let controller = watches::controller(client)
        .with_config(controller::Config::default().concurrency(config.concurrency))
        .graceful_shutdown_on(stopped(stop));
    let store = controller.store();
    tokio::spawn(async move {
        if store.wait_until_ready().await.is_ok() {
            is_ready.store(true, Ordering::Relaxed);
        }
    });
    let results = controller.run(user_engine::reconcile, user_engine::error_policy, context);
    results
        .for_each(|result| {
            watch_result(result);
            ready(())
        })
        .await;
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

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender lives until it has sent.
    let _gone = stop.wait_for(|stop| *stop).await.is_err();
}
