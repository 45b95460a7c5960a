//! `GET /readyz`: the brain is open and the ring complete. No provider, server or single credential counts.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Internal;
use crate::http::error::ApiError;
use crate::state::Phase;

pub(super) async fn get(State(internal): State<Internal>) -> Result<Json<Value>, ApiError> {
    let phase = internal.phase.borrow().clone();
    let app = match phase {
        Phase::Starting => return Err(ApiError::NotReady("the brain is being opened")),
        Phase::Draining(_) => return Err(ApiError::NotReady("the engine is stopping")),
        Phase::Serving(app) => app,
    };
    let checked = app.check().await;
    match (checked.database, checked.asset_directory) {
        (true, true) => Ok(Json(json!({ "status": "ready" }))),
        (false, _) => Err(ApiError::NotReady("the brain does not answer")),
        (true, false) => Err(ApiError::NotReady("the ring does not open the canary")),
    }
}
