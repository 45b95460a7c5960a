//! Puts the parts together and runs them until a signal comes.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use futures::StreamExt;
use kube::api::ListParams;
use kube::runtime::controller;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use userengine_api::UserEngine;
use userengine_api::labels::MANAGER;

use crate::config::Config;
use crate::http::{self, Health};
use crate::metrics::Metrics;
use crate::platform::Changes;
use crate::user_engine::inside::Insides;
use crate::user_engine::retry::Backoff;
use crate::user_engine::{self, Context};
use crate::{platform, retained, telemetry, watches};

/// Runs the operator: returns once a signal came and the work in hand is done.
pub fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.log);
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
    let pages = axum::serve(listener, http::router(health.clone()));
    let pages = pages.with_graceful_shutdown(stopped(stop.clone()));
    let pages = tokio::spawn(pages.into_future());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = config.namespace,
        "operator started"
    );
    tokio::select! {
        () = stopped(stop.clone()) => {}
        started = start(&client, &config, metrics) => {
            let (context, changes, background) = started?;
            health.ready.store(true, Ordering::Relaxed);
            engines(context, changes, &config, stop).await;
            background.iter().for_each(JoinHandle::abort);
        }
    }
    tracing::info!("operator stopped");
    Ok(pages.await??)
}

/// What must be there before the first engine is looked at, and the tasks that keep it true.
async fn start(
    client: &Client,
    config: &Config,
    metrics: Arc<Metrics>,
) -> anyhow::Result<(Arc<Context>, Changes, [JoinHandle<()>; 3])> {
    can_list(client).await;
    let platform = platform::watch(client, &config.namespace).await?;
    let let_go = tokio::spawn(retained::run(client.clone(), metrics.clone()));
    let reporter = Reporter {
        controller: MANAGER.to_owned(),
        instance: None,
    };
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone(), reporter),
        classes: platform.classes,
        platform: platform.config_maps,
        client: client.clone(),
        operator_namespace: config.namespace.clone(),
        metrics,
        insides: Insides::default(),
        backoff: Backoff::default(),
    });
    let [keep_classes, keep_config_maps] = platform.keep;
    let background = [keep_classes, keep_config_maps, let_go];
    Ok((context, platform.changes, background))
}

/// Returns once the definition is there and may be listed. The controller's own store cannot be asked:
/// it wakes only one of those who wait for it, and the controller waits for it itself.
async fn can_list(client: &Client) {
    let engines = Api::<UserEngine>::all(client.clone());
    let backoff = Backoff::default();
    while let Err(error) = engines.list(&ListParams::default().limit(1)).await {
        tracing::warn!(%error, "failed to list UserEngines; trying again");
        tokio::time::sleep(backoff.next("")).await;
    }
}

/// Reconciles until told to stop, and finishes what it has begun.
async fn engines(
    context: Arc<Context>,
    platform_changes: Changes,
    config: &Config,
    stop: watch::Receiver<bool>,
) {
    let controller = watches::controller(&context.client)
        .reconcile_all_on(platform_changes)
        .with_config(controller::Config::default().concurrency(config.concurrency))
        .graceful_shutdown_on(stopped(stop));
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
