//! The process: starts what answers for it, waits until it leads, and works until a signal comes.

use std::sync::Arc;

use anyhow::Context as _;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cluster::{Busy, Clients};
use crate::config::Config;
use crate::http::{self, Health};
use crate::leader::{self, Election, Fence, Standing};
use crate::metrics::Metrics;
use crate::stop::{stop_on_signal, stopped};
use crate::telemetry;
use crate::work::work;

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
    let mut cluster = kube::Config::infer()
        .await
        .context("failed to find an API server to talk to")?;
    // Whoever asks tries again himself, if he still may.
    cluster.default_retry = false;
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
    let busy = Busy::default();
    let clients = Clients::of(&cluster, |cluster| fence.guard(cluster, &busy))?;
    let mut election = Election::new(Client::try_from(cluster)?, &config.namespace, me, fence);
    tokio::select! {
        () = stopped(stop.clone()) => election.release().await,
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
