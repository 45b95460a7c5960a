//! `GET /metrics`, in Prometheus' text format.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Internal;
use crate::http::error::ApiError;

pub(super) async fn get(State(internal): State<Internal>) -> Result<Response, ApiError> {
    // Gauges of what exists are read when somebody looks, so that nothing that is gone is told of.
    if let Ok(app) = internal.app() {
        internal.metrics.observe_connections(&app.assets.gauges());
    }
    let text = internal.metrics.render().map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}
