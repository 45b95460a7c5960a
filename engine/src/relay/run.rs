//! The life of a relay: listen, answer, stop.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use userengine_api::refusal::{Refusal, RefusalReason};

use super::{internal, router};
use crate::config::RelayConfig;
use crate::listen::{Listeners, Probes, address};
use crate::metrics::Metrics;
use crate::serve::{Drained, serve};
use crate::stop::{StopSignals, Stopped};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All requests were answered, or their time was up.
    Stopped,
    /// A second signal cut the stop short.
    Cut,
}

/// Runs a relay until a signal stops it.
pub async fn run(config: RelayConfig) -> Result<Ended, Refusal> {
    let failed = |error: io::Error| {
        Refusal::new(
            RefusalReason::ConfigInvalid,
            format!("failed to take signals: {error}"),
        )
    };
    let mut signals = StopSignals::install().map_err(failed)?;
    let listeners = Listeners::bind(&config.http).await?;
    let ended = signals
        .end(|stopped| live(config, listeners, stopped))
        .await;
    Ok(ended.map_or(Ended::Cut, |()| Ended::Stopped))
}

async fn live(config: RelayConfig, listeners: Listeners, stopped: Stopped) {
    let grace = config.http.grace;
    let metrics = Metrics::new();
    let (stopping, stops) = watch::channel(false);
    let probes = Probes::start(listeners.internal, internal::router(stops, metrics.clone()));
    let api = address(&listeners.api);
    tracing::info!(%api, internal = %probes.address, version = env!("CARGO_PKG_VERSION"), "serving");
    let draining = async {
        stopped.wait().await;
        stopping.send_replace(true);
    };
    let routes = router(Arc::new(config), metrics);
    if serve(listeners.api, routes, draining, grace).await == Drained::Partly {
        tracing::warn!(
            grace_seconds = grace.as_secs(),
            "cut requests that outlived the grace period"
        );
    }
    probes.stop().await;
    tracing::info!("stopped");
}
