//! Probes and metrics of the relay.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::http;
use crate::http::error::ApiError;
use crate::metrics::Metrics;

#[derive(Debug, Clone)]
struct Internal {
    stopping: watch::Receiver<bool>,
    metrics: Metrics,
}

/// `/livez`, `/readyz` (until the relay is asked to stop) and `/metrics`.
pub(super) fn router(stopping: watch::Receiver<bool>, metrics: Metrics) -> Router {
    let routes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(text))
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed);
    let state = Internal {
        stopping,
        metrics: metrics.clone(),
    };
    http::observed(routes, metrics, tracing::Level::DEBUG).with_state(state)
}

async fn livez() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

async fn readyz(State(internal): State<Internal>) -> Result<Json<Value>, ApiError> {
    if *internal.stopping.borrow() {
        return Err(ApiError::NotReady("the relay is stopping"));
    }
    Ok(Json(json!({ "status": "ready" })))
}

async fn text(State(internal): State<Internal>) -> Result<Response, ApiError> {
    let text = internal.metrics.render().map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}
