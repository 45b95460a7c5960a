//! What is done for each request: an id, a bound of its size, one count and one log line. No path, query or header is told
//! of: those hold what callers put there.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, Level};

use super::request_id::{REQUEST_ID, RequestId};
use super::size;
use crate::clock::{Stopwatch, milliseconds};
use crate::eager::later;
use crate::metrics::Metrics;

/// Runs the request and tells of it. Probes are told of at a lower level than calls.
pub(super) async fn observe(
    State((metrics, level)): State<(Metrics, Level)>,
    mut request: Request,
    next: Next,
) -> Response {
    let stopwatch = Stopwatch::start();
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let method = bounded(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = tracing::error_span!("request", request_id = id.as_str());
    let answered = async {
        match size::check(&request) {
            Ok(()) => next.run(request).await,
            Err(error) => error.into_response(),
        }
    };
    let mut response = answered.instrument(span.clone()).await;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(REQUEST_ID), id.into_header());

    let (status, took) = (response.status().as_u16(), stopwatch.elapsed());
    metrics.answered(name(route.as_ref()), method, status, took);
    later(move || span.in_scope(|| log(level, method, name(route.as_ref()), status, took)));
    response
}

fn name(route: Option<&MatchedPath>) -> &str {
    route.map_or("none", MatchedPath::as_str)
}

fn log(level: Level, method: &str, route: &str, status: u16, took: Duration) {
    let duration_ms = milliseconds(took);
    if level == Level::INFO {
        tracing::info!(method, route, status, duration_ms, "answered");
    } else {
        tracing::debug!(method, route, status, duration_ms, "answered");
    }
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
