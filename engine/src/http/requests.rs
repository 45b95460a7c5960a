//! One log line and one count for each request. No path, query or header: those hold what callers put there.

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Level;

use crate::clock::{Stopwatch, milliseconds};
use crate::metrics::Metrics;

/// Runs the request and tells of it. Probes are told of at a lower level than calls.
pub(super) async fn observe(
    State((metrics, level)): State<(Metrics, Level)>,
    request: Request,
    next: Next,
) -> Response {
    let stopwatch = Stopwatch::start();
    let method = bounded(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;

    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let (status, took) = (response.status().as_u16(), stopwatch.elapsed());
    metrics.answered(route, method, status, took);
    let duration_ms = milliseconds(took);
    if level == Level::INFO {
        tracing::info!(method, route, status, duration_ms, "answered");
    } else {
        tracing::debug!(method, route, status, duration_ms, "answered");
    }
    response
}

/// A client may invent methods, and each would be a new time series.
fn bounded(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
