//! The API listener.

mod auth;
pub mod error;
pub mod health;
mod not_found;
pub mod openapi;
mod request_id;
mod requests;
mod size;

use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use axum::{Router, middleware};

use crate::metrics::Metrics;
use crate::state::App;

pub(crate) use not_found::{method_not_allowed, not_found};

/// Largest body of a request, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The API as a function of its state. What is not listed as open needs the key, unknown paths too.
pub fn router(app: App) -> Router {
    let guarded = Router::new()
        .route("/openapi.json", get(openapi::get))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(
            app.clone(),
            auth::require_key,
        ));
    let open = Router::new()
        .route("/health", get(health::get))
        .method_not_allowed_fallback(method_not_allowed);
    observed(
        open.merge(guarded),
        app.metrics.clone(),
        tracing::Level::INFO,
    )
    .with_state(app)
}

/// What every listener wraps around its routes: a size limit, one log line and one count a request, an id.
pub(crate) fn observed<S>(routes: Router<S>, metrics: Metrics, level: tracing::Level) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes
        .layer(middleware::from_fn(size::limit))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(
            (metrics, level),
            requests::observe,
        ))
        .layer(middleware::from_fn(request_id::assign))
}
