//! The real routers on a real brain, without a socket.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::task::yield_now;
use tower::ServiceExt;
use userengine_engine::access::Access;
use userengine_engine::assets::{self, Audit, Directory, Events};
use userengine_engine::catalog::LiveCatalog;
use userengine_engine::clock::Clock;
use userengine_engine::config::{
    AccessConfig, BrainConfig, BrainMode, ConnectorsConfig, Environment, HttpConfig, RingConfig,
};
use userengine_engine::egress::{Egress, Resolve};
use userengine_engine::internal::Internal;
use userengine_engine::metrics::Metrics;
use userengine_engine::ring::Ring;
use userengine_engine::state::{App, Parts, Phase};
use userengine_engine::store::{OpenError, Store};
use userengine_engine::vault::Vault;
use userengine_engine::{http, internal, store};

use super::volume::Volume;
use super::{key, sha256};

/// Longest time in which a child may still have our files.
const FORKED: Duration = Duration::from_secs(5);

/// An engine whose clock stands still.
pub struct TestEngine {
    pub volume: Volume,
    pub clock: Clock,
    pub app: App,
    phase: watch::Sender<Phase>,
    environment: Environment,
    resolver: Option<Arc<dyn Resolve>>,
}

impl TestEngine {
    /// An engine that accepts the keys `current` and `old`.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with these variables for its connectors.
    pub async fn start_with(variables: &[(&str, &str)]) -> Self {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        Self::open(Volume::new(), clock, Environment::of(variables), None).await
    }

    /// The same with a resolver of its own.
    pub async fn start_resolved_by(resolver: Arc<dyn Resolve>, variables: &[(&str, &str)]) -> Self {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let environment = Environment::of(variables);
        Self::open(Volume::new(), clock, environment, Some(resolver)).await
    }

    /// The same with a clock that goes: for what waits on real sockets.
    pub async fn start_live(variables: &[(&str, &str)]) -> Self {
        Self::open(
            Volume::new(),
            Clock::system(),
            Environment::of(variables),
            None,
        )
        .await
    }

    /// Stops it cleanly and starts it again, at the same time.
    pub async fn restart(self) -> Self {
        let Self {
            volume,
            clock,
            app,
            phase,
            environment,
            resolver,
        } = self;
        drop(phase);
        app.assets.finish().await;
        app.assets.audit.drain().await;
        app.store.hand_over(&clock).await.unwrap();
        drop(app);
        Self::open(volume, clock, environment, resolver).await
    }

    async fn open(
        volume: Volume,
        clock: Clock,
        environment: Environment,
        resolver: Option<Arc<dyn Resolve>>,
    ) -> Self {
        let vault = Vault::new(
            &Ring::load(RingConfig::Single(key(1))).unwrap(),
            clock.clone(),
        );
        let database_id = Some("brain-of-a-test".to_owned().try_into().unwrap());
        let config = BrainConfig {
            path: volume.brain(),
            mode: BrainMode::Create,
            database_id,
        };
        let store = open(&config, &vault, &clock).await;
        let hashes = format!("{},{}", sha256("current"), sha256("old"))
            .parse()
            .unwrap();
        let access = Access::load(AccessConfig::Fixed(hashes)).unwrap();
        let (metrics, started_at) = (Metrics::new(), clock.now());
        let (store, vault) = (Arc::new(store), Arc::new(vault));
        let http = HttpConfig::read(&environment).unwrap();
        let connectors = ConnectorsConfig::read(&environment, &http).unwrap();
        let assets = Directory::load(assets::Parts {
            store: store.clone(),
            vault: vault.clone(),
            clock: clock.clone(),
            egress: match resolver.clone() {
                Some(resolver) => Egress::resolved_by(&connectors, resolver).unwrap(),
                None => Egress::new(&connectors).unwrap(),
            },
            catalog: Arc::new(LiveCatalog::load(&connectors)),
            metrics: metrics.clone(),
            audit: Audit::start(&store, clock.clone(), metrics.clone()),
            events: Events::new(store.identity().open_count),
            config: connectors,
        })
        .await
        .unwrap();
        let app = App::new(Parts {
            store,
            vault,
            assets,
            access,
            metrics,
            clock: clock.clone(),
            started_at,
        });
        let phase = watch::Sender::new(Phase::Serving(app.clone()));
        Self {
            volume,
            clock,
            app,
            phase,
            environment,
            resolver,
        }
    }

    pub fn api(&self) -> Router {
        http::router(self.app.clone())
    }

    pub fn internal(&self) -> Router {
        internal::router(Internal {
            phase: self.phase.subscribe(),
            metrics: self.app.metrics.clone(),
        })
    }

    pub fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }
}

/// One request, with a fixed id so that answers compare.
pub async fn send(
    router: Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Response<String> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-request-id", "test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
}

/// An answer as text, for snapshots.
pub fn shown(response: &Response<String>) -> String {
    let mut text = format!("{}\n", response.status());
    let mut headers: Vec<_> = response.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    text + "\n" + response.body()
}

/// Other tests start programs, and between its fork and its exec such a child has every file of ours, the lock on a brain that was
/// closed just now as well.
async fn open(config: &BrainConfig, vault: &Vault, clock: &Clock) -> Store {
    let began = Instant::now();
    loop {
        match store::open(config, vault, clock).await {
            Err(OpenError::Locked) if began.elapsed() < FORKED => yield_now().await,
            opened => return opened.unwrap().store,
        }
    }
}
