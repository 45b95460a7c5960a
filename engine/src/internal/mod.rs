//! The internal listener: probes, metrics and `/keys`, for the operator and for monitoring only.

pub mod keys;
mod livez;
mod metrics;
mod readyz;

use axum::Router;
use axum::routing::get;
use tokio::sync::watch;

use crate::http;
use crate::http::error::ApiError;
use crate::metrics::Metrics;
use crate::state::{App, Phase};

/// What the internal listener knows: less than the API, and from earlier on.
#[derive(Debug, Clone)]
pub struct Internal {
    /// Where the engine is in its life.
    pub phase: watch::Receiver<Phase>,
    /// Counts.
    pub metrics: Metrics,
}

impl Internal {
    /// The app, once the brain is open.
    fn app(&self) -> Result<App, ApiError> {
        match &*self.phase.borrow() {
            Phase::Starting => Err(ApiError::NotReady("the brain is being opened")),
            Phase::Serving(app) | Phase::Draining(app) => Ok(app.clone()),
        }
    }
}

/// The internal routes as a function of their state.
pub fn router(state: Internal) -> Router {
    let routes = Router::new()
        .route("/livez", get(livez::get))
        .route("/readyz", get(readyz::get))
        .route("/metrics", get(metrics::get))
        .route("/keys", get(keys::get))
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed);
    http::observed(routes, state.metrics.clone(), tracing::Level::DEBUG).with_state(state)
}
