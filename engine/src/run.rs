//! The life of an engine: check, open, serve, hand over.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::watch;
use userengine_api::layout::env;
use userengine_api::refusal::{Refusal, RefusalReason};

use crate::access::Access;
use crate::assets::{self, Audit, Directory, Events};
use crate::brain_lock::open_when_free;
use crate::catalog::{self, LiveCatalog};
use crate::clock::{Clock, milliseconds};
use crate::config::Config;
use crate::egress::Egress;
use crate::internal::{self, Internal};
use crate::listen::{Listeners, Probes, address};
use crate::metrics::Metrics;
use crate::ring::Ring;
use crate::serve::{Drained, serve};
use crate::state::{App, Parts, Phase};
use crate::stop::{StopSignals, Stopped};
use crate::store::StoreError;
use crate::vault::Vault;
use crate::{http, store};

/// How a run ended that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The brain was handed over.
    HandedOver,
    /// It could not be handed over: the next start recovers.
    NotHandedOver(Refusal),
    /// A second signal cut the stop short: the next start recovers.
    Cut,
}

/// Runs an engine until a signal stops it.
pub async fn run(
    config: Config,
    clock: Clock,
    signals: &mut StopSignals,
) -> Result<Ended, Refusal> {
    let listeners = Listeners::bind(&config.http).await?;
    let life = |stopped: Stopped| live(config, clock, listeners, stopped.wait());
    if let Some(ended) = signals.end(life).await {
        return ended;
    }
    tracing::warn!("the brain was not handed over: the next start recovers");
    Ok(Ended::Cut)
}

/// Opens the brain, serves both listeners until `shutdown`, and hands the brain over.
pub async fn live(
    config: Config,
    clock: Clock,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> Result<Ended, Refusal> {
    let grace = config.http.grace;
    let metrics = Metrics::new();
    let (phase, phases) = watch::channel(Phase::Starting);
    let internal = Internal {
        phase: phases,
        metrics: metrics.clone(),
    };
    let probes = Probes::start(listeners.internal, internal::router(internal));

    let mut shutdown = pin!(shutdown);
    let opened = open(config, clock, metrics, shutdown.as_mut()).await;
    let app = match opened {
        Ok(Some(app)) => app,
        Ok(None) => {
            tracing::info!("stopped before the brain was free");
            probes.stop().await;
            return Ok(Ended::HandedOver);
        }
        Err(refused) => {
            // The next try takes the same address.
            probes.stop().await;
            return Err(refused);
        }
    };
    phase.send_replace(Phase::Serving(app.clone()));
    // First, so that no change of the catalog is missed.
    app.assets.start();
    let following = tokio::spawn(catalog::follow(app.assets.catalog.clone()));
    let (api, start_ms) = (
        address(&listeners.api),
        milliseconds(app.clock.since_start()),
    );
    tracing::info!(%api, internal = %probes.address, start_ms, version = env!("CARGO_PKG_VERSION"), "serving");

    let draining = async {
        shutdown.await;
        app.assets.begin_stop();
        app.assets.events.close();
        phase.send_replace(Phase::Draining(app.clone()));
    };
    if serve(listeners.api, http::router(app.clone()), draining, grace).await == Drained::Partly {
        tracing::warn!(
            grace_seconds = grace.as_secs(),
            "cut requests that outlived the grace period"
        );
    }
    following.abort();
    app.assets.finish().await;
    app.assets.end_sessions().await;
    app.assets.audit.drain().await;
    let handed_over = app.store.hand_over(&app.clock).await;
    probes.stop().await;
    if let Err(error) = handed_over {
        let message = format!("failed to hand over: {error}");
        let refusal = Refusal::new(RefusalReason::StorageFailed, message);
        return Ok(Ended::NotHandedOver(refusal));
    }
    tracing::info!("handed over");
    Ok(Ended::HandedOver)
}

/// Everything that can refuse, cheapest first: the brain comes last because only then the ring is known.
/// `None` if `stopping` came true while another process had the brain.
async fn open(
    config: Config,
    clock: Clock,
    metrics: Metrics,
    stopping: impl Future<Output = ()> + Unpin,
) -> Result<Option<App>, Refusal> {
    let access = Access::load(config.access)?;
    let vault = Vault::new(&Ring::load(config.ring)?, clock.clone());
    let egress = Egress::new(&config.connectors).map_err(|error| unusable_network(&error))?;
    let patience = config.brain_patience;
    let opened = open_when_free(&config.brain, patience, &vault, &clock, stopping).await?;
    let Some(opened) = opened else {
        return Ok(None);
    };
    report(&opened, &metrics);
    let (store, vault) = (Arc::new(opened.store), Arc::new(vault));
    let assets = Directory::load(assets::Parts {
        store: store.clone(),
        vault: vault.clone(),
        clock: clock.clone(),
        egress,
        catalog: Arc::new(LiveCatalog::load(&config.connectors)),
        metrics: metrics.clone(),
        audit: Audit::start(&store, clock.clone(), metrics.clone()),
        events: Events::new(store.identity().open_count),
        config: config.connectors,
    })
    .await
    .map_err(|error| unreadable(&error))?;
    let started_at = clock.now();
    Ok(Some(App::new(Parts {
        store,
        vault,
        assets,
        access,
        metrics,
        clock,
        started_at,
    })))
}

fn unreadable(error: &StoreError) -> Refusal {
    let message = format!("failed to load the connections: {error}");
    Refusal::new(RefusalReason::StorageFailed, message)
}

fn unusable_network(error: &io::Error) -> Refusal {
    let problem = format!("{}: {error}", env::EXTRA_CA_FILE);
    Refusal::new(RefusalReason::ConfigInvalid, problem)
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
