//! Health and metrics of the operator itself.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch;

use crate::leader::Standing;
use crate::metrics::Metrics;

/// What the endpoints speak of.
#[derive(Clone)]
pub struct Health {
    /// Where this replica stands.
    pub standing: watch::Receiver<Standing>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// `/livez`, `/readyz` and `/metrics`.
pub fn router(health: Health) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    readiness(*health.standing.borrow())
}

/// A replica is ready while somebody leads, as far as it knows, and it is of use: it does the work, or would take it over.
fn readiness(standing: Standing) -> (StatusCode, &'static str) {
    match standing {
        Standing::Leads => (StatusCode::OK, "ok: leads"),
        Standing::StandsBy => (StatusCode::OK, "ok: stands by"),
        Standing::Looks => (
            StatusCode::SERVICE_UNAVAILABLE,
            "waiting to lead, or to see who does: may the operator get, create and update its Lease?",
        ),
        Standing::Starts => (
            StatusCode::SERVICE_UNAVAILABLE,
            "waiting for the first list of UserEngines: is the definition installed, and may the operator list it?",
        ),
    }
}

async fn metrics(State(health): State<Health>) -> Result<String, StatusCode> {
    health.metrics.text().map_err(|error| {
        tracing::error!(%error, "failed to write metrics");
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_ready_once_it_works_or_stands_by_for_one_that_does() {
        let is_ready = |standing| readiness(standing).0 == StatusCode::OK;
        assert!(is_ready(Standing::Leads) && is_ready(Standing::StandsBy));
        assert!(!is_ready(Standing::Looks) && !is_ready(Standing::Starts));
    }
}
