//! `GET /assets/oauth/callback`: sends the browser on to its engine.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use userengine_api::layout::OAUTH_CALLBACK_PATH;

use super::engine::{EngineAddress, NoEngine};
use crate::config::RelayConfig;
use crate::http::page::Page;

/// Longest query, in bytes.
const LONGEST_QUERY: usize = 8 * 1024;

pub(super) async fn get(State(config): State<Arc<RelayConfig>>, uri: Uri) -> Response {
    match location(&config, uri.query().unwrap_or_default()) {
        Ok(location) => {
            let headers = [
                (LOCATION, location),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                // The query holds a code: no page that comes after may learn it.
                (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            ];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(problem) => page(problem),
    }
}

/// The engine's own callback, with the query byte for byte as it came.
fn location(config: &RelayConfig, query: &str) -> Result<HeaderValue, &'static str> {
    if query.len() > LONGEST_QUERY {
        return Err("The address is longer than 8 KiB.");
    }
    let engine = EngineAddress::of(query).map_err(|no_engine| match no_engine {
        NoEngine::Missing => "The address has no state, which says which engine it is for.",
        NoEngine::Twice => "The address has more than one state.",
        NoEngine::Foreign => "The state in the address was not made by one of these engines.",
    })?;
    let base = config
        .engine_url
        .render(&engine)
        .ok_or("The state in the address names no engine that this relay can reach.")?;
    HeaderValue::from_bytes(format!("{base}{OAUTH_CALLBACK_PATH}?{query}").as_bytes())
        .map_err(|_| "The address holds characters that no address may hold.")
}

/// Says what happened and what to do, and repeats nothing of the query.
fn page(problem: &'static str) -> Response {
    Page::new(
        StatusCode::BAD_REQUEST,
        "This sign-in cannot be finished here",
        "Go back to the application where you began to connect, and begin again there. If it happens again, tell the people who run that application what is written below. Nothing was connected.",
    )
    .detail("What is wrong", problem)
    .into_response()
}
