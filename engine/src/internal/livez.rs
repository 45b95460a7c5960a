//! `GET /livez`: the process answers. Nothing else counts: a restart cures neither the brain nor a provider.

use axum::Json;
use serde_json::{Value, json};

pub(super) async fn get() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}
