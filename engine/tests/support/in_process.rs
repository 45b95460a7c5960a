//! The real routers on a real brain, without a socket.

use std::fmt::Write;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::watch;
use tower::ServiceExt;
use userengine_engine::access::Access;
use userengine_engine::clock::Clock;
use userengine_engine::config::{AccessConfig, BrainConfig, BrainMode, RingConfig};
use userengine_engine::internal::Internal;
use userengine_engine::metrics::Metrics;
use userengine_engine::ring::Ring;
use userengine_engine::state::{App, Parts, Phase};
use userengine_engine::vault::Vault;
use userengine_engine::{http, internal, store};

use super::volume::Volume;
use super::{key, sha256};

/// An engine whose clock stands still.
pub struct TestEngine {
    pub volume: Volume,
    pub clock: Clock,
    pub app: App,
    phase: watch::Sender<Phase>,
}

impl TestEngine {
    /// An engine that accepts the keys `current` and `old`.
    pub async fn start() -> Self {
        let volume = Volume::new();
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
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
        let store = store::open(&config, &vault, &clock).await.unwrap().store;
        let hashes = format!("{},{}", sha256("current"), sha256("old"))
            .parse()
            .unwrap();
        let access = Access::load(AccessConfig::Fixed(hashes)).unwrap();
        let (metrics, started_at) = (Metrics::new(), clock.now());
        let app = App::new(Parts {
            store,
            vault,
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
