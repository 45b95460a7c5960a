//! The API listener.

mod admin;
pub mod assets;
pub mod audit;
mod auth;
mod body;
pub mod error;
pub mod events;
pub mod health;
mod not_found;
pub mod openapi;
pub mod page;
mod request_id;
mod requests;
mod size;
pub mod tools;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use userengine_api::layout::{OAUTH_CALLBACK_PATH, OAUTH_CLIENT_METADATA_PATH};

use crate::metrics::Metrics;
use crate::state::App;

pub(crate) use not_found::{method_not_allowed, not_found};

/// Largest body of a request, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The API as a function of its state. What is not listed as open needs the key, unknown paths too.
pub fn router(app: App) -> Router {
    let guarded = Router::new()
        .route("/openapi.json", get(openapi::get))
        .route("/assets/connect", post(assets::connect::post))
        .route("/assets/connections", get(assets::connections::list))
        .route(
            "/assets/connections/{ref_id}",
            get(assets::connections::get).delete(assets::connections::delete),
        )
        .route("/assets/servers", get(assets::servers::list))
        .route("/admin/reload-catalog", post(admin::reload_catalog::post))
        .route("/tools", get(tools::list::get))
        .route("/tools/call", post(tools::call::post))
        .route("/tools/changed", get(tools::accept::list))
        .route("/tools/accept", post(tools::accept::post))
        .route("/events", get(events::get))
        .route("/audit", get(audit::get))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(
            app.clone(),
            auth::require_key,
        ));
    let open = Router::new()
        .route("/health", get(health::get))
        .route(
            OAUTH_CLIENT_METADATA_PATH,
            get(assets::client_metadata::get),
        )
        .route(
            OAUTH_CALLBACK_PATH,
            // A HEAD request must not use the code up.
            get(assets::callback::get).head(method_not_allowed),
        )
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
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(
            (metrics, level),
            requests::observe,
        ))
}
