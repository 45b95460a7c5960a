//! `GET /health`: does the engine work? Open to everybody, and tells nobody why not.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::App;

/// The engine's health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok` if every subsystem is.
    pub status: Condition,
    /// Seconds since the process started.
    pub uptime_seconds: f64,
    /// Each part on its own.
    pub subsystems: Subsystems,
}

/// The parts that an engine cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subsystems {
    /// The brain answers queries.
    pub database: Condition,
    /// The ring is complete and opens what the brain holds.
    pub asset_directory: Condition,
}

/// Works, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It works.
    Ok,
    /// It does not; the log says why.
    Error,
}

/// Tries the brain and the ring.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    tag = "engine",
    responses(
        (status = 200, description = "Everything works.", body = Health),
        (status = 503, description = "A subsystem does not work.", body = Health),
    ),
    security(()),
)]
pub(super) async fn get(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let checked = app.check().await;
    let status = if checked.all() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let health = Health {
        status: condition(checked.all()),
        uptime_seconds: (app.clock.since_start().as_secs_f64() * 1000.0).round() / 1000.0,
        subsystems: Subsystems {
            database: condition(checked.database),
            asset_directory: condition(checked.asset_directory),
        },
    };
    (status, Json(health))
}

fn condition(works: bool) -> Condition {
    if works {
        Condition::Ok
    } else {
        Condition::Error
    }
}
