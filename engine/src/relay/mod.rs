//! `engine relay`: one callback for all engines.
//!
//! Providers register exact redirect URIs, so ten thousand hosts cannot each have one. They register the relay's, and the
//! relay sends each browser on to the engine that its `state` names, with the query as it came. It holds no secret and no
//! state, remembers nothing and logs no query: whoever forges a `state` reaches an engine that does not know it.

mod callback;
mod engine;
mod internal;
mod run;
mod template;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use userengine_api::layout::{OAUTH_CALLBACK_PATH, OAUTH_CLIENT_METADATA_PATH};

pub use run::{Ended, run};
pub use template::EngineUrlTemplate;

use crate::config::RelayConfig;
use crate::http;
use crate::http::assets::client_metadata::{self, Document};
use crate::metrics::Metrics;

/// The relay as a function of its settings.
pub fn router(config: Arc<RelayConfig>, metrics: Metrics) -> Router {
    let routes = Router::new()
        .route(OAUTH_CALLBACK_PATH, get(callback::get))
        .route(OAUTH_CLIENT_METADATA_PATH, get(document))
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed);
    http::observed(routes, metrics, tracing::Level::INFO).with_state(config)
}

async fn document(State(config): State<Arc<RelayConfig>>) -> Document {
    client_metadata::document(&config.redirect_base)
}
