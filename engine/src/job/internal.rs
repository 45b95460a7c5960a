//! What a container of the Job answers while it works.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;
use userengine_rotation::verdict::Progress;

use crate::http;
use crate::http::error::ApiError;

type Seen = watch::Receiver<Option<Progress>>;

/// `/livez` and `/progress`.
pub(super) fn router(progress: Seen) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/progress", get(get_progress))
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed)
        .with_state(progress)
}

async fn livez() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

async fn get_progress(State(progress): State<Seen>) -> Result<Json<Progress>, ApiError> {
    let progress = progress.borrow().clone();
    progress.map(Json).ok_or(ApiError::NotReady(
        "nothing has begun that has a progress to tell",
    ))
}
