//! The life of an engine: check, open, serve, hand over.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use userengine_api::layout::env;
use userengine_api::refusal::{Refusal, RefusalReason};

use crate::access::Access;
use crate::clock::{Clock, milliseconds};
use crate::config::Config;
use crate::internal::{self, Internal};
use crate::metrics::Metrics;
use crate::ring::Ring;
use crate::serve::{Drained, serve};
use crate::state::{App, Parts, Phase};
use crate::stop::StopSignals;
use crate::vault::Vault;
use crate::{http, store};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The brain was handed over.
    HandedOver,
    /// A second signal cut the stop short: the next start recovers.
    Cut,
}

/// Both listeners, bound.
#[derive(Debug)]
pub struct Listeners {
    /// For callers of the API.
    pub api: TcpListener,
    /// For the operator and monitoring.
    pub internal: TcpListener,
}

/// Runs an engine until a signal stops it.
pub async fn run(config: Config, clock: Clock) -> Result<Ended, Refusal> {
    let failed = |error: io::Error| {
        Refusal::new(
            RefusalReason::StorageFailed,
            format!("failed to take signals: {error}"),
        )
    };
    let mut signals = StopSignals::install().map_err(failed)?;
    let listeners = bind(&config).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let life = live(config, clock, listeners, async {
        // An error means that the sender is gone, which is a stop, too.
        let _ = stopped.await;
    });
    tokio::pin!(life);

    let signal = tokio::select! {
        ended = &mut life => return ended.map(|()| Ended::HandedOver),
        signal = signals.next() => signal,
    };
    tracing::info!(signal, "stopping");
    drop(stop);
    tokio::select! {
        ended = &mut life => ended.map(|()| Ended::HandedOver),
        signal = signals.next() => {
            tracing::warn!(signal, "stopped at once: the next start recovers");
            Ok(Ended::Cut)
        }
    }
}

/// Opens the brain, serves both listeners until `shutdown`, and hands the brain over.
pub async fn live(
    config: Config,
    clock: Clock,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Refusal> {
    let grace = config.http.grace;
    let metrics = Metrics::new();
    let (phase, phases) = watch::channel(Phase::Starting);
    let internal = Internal {
        phase: phases,
        metrics: metrics.clone(),
    };
    let probes = Probes::start(listeners.internal, internal);

    let app = open(config, clock, metrics).await?;
    phase.send_replace(Phase::Serving(app.clone()));
    let (api, start_ms) = (
        address(&listeners.api),
        milliseconds(app.clock.since_start()),
    );
    tracing::info!(%api, internal = %probes.address, start_ms, version = env!("CARGO_PKG_VERSION"), "serving");

    let draining = async {
        shutdown.await;
        phase.send_replace(Phase::Draining(app.clone()));
    };
    if serve(listeners.api, http::router(app.clone()), draining, grace).await == Drained::Partly {
        tracing::warn!(
            grace_seconds = grace.as_secs(),
            "cut requests that outlived the grace period"
        );
    }
    let handed_over = app.store.hand_over(&app.clock).await;
    probes.stop().await;
    handed_over.map_err(|error| {
        Refusal::new(
            RefusalReason::StorageFailed,
            format!("failed to hand over: {error}"),
        )
    })?;
    tracing::info!("handed over");
    Ok(())
}

/// Everything that can refuse, cheapest first: the brain comes last because only then the ring is known.
async fn open(config: Config, clock: Clock, metrics: Metrics) -> Result<App, Refusal> {
    let access = Access::load(config.access)?;
    let vault = Vault::new(&Ring::load(config.ring)?, clock.clone());
    let opened = store::open(&config.brain, &vault, &clock).await?;
    report(&opened, &metrics);
    let started_at = clock.now();
    Ok(App::new(Parts {
        store: opened.store,
        vault,
        access,
        metrics,
        clock,
        started_at,
    }))
}

/// The internal listener: first up, last down.
struct Probes {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Drained>,
}

impl Probes {
    fn start(listener: TcpListener, state: Internal) -> Self {
        let address = address(&listener);
        let (stop, stopped) = oneshot::channel();
        let router = internal::router(state);
        let stopped = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(serve(listener, router, stopped, Duration::from_secs(1)));
        Self {
            address,
            stop,
            task,
        }
    }

    async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the internal listener ended early");
        }
    }
}

async fn bind(config: &Config) -> Result<Listeners, Refusal> {
    let api = bind_one(env::LISTEN_ADDR, config.http.listen).await?;
    let internal = bind_one(env::INTERNAL_ADDR, config.http.internal).await?;
    Ok(Listeners { api, internal })
}

async fn bind_one(variable: &str, address: SocketAddr) -> Result<TcpListener, Refusal> {
    TcpListener::bind(address).await.map_err(|error| {
        Refusal::new(
            RefusalReason::ConfigInvalid,
            format!("{variable}: failed to listen on {address}: {error}"),
        )
    })
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener
        .local_addr()
        .unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)))
}

fn report(opened: &store::Opened, metrics: &Metrics) {
    let identity = opened.store.identity();
    metrics.opened(identity.open_count, opened.recovered);
    if opened.recovered {
        tracing::warn!("recovered an unclean stop");
    }
    tracing::info!(
        database_id = %identity.database_id, open_count = identity.open_count, created = opened.created,
        "opened the brain"
    );
}
