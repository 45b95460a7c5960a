//! `GET /events`: what happens, as it happens (server-sent events).

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use serde_json::json;

use super::error::{ApiError, ErrorBody};
use crate::assets::AssetError;
use crate::assets::events::{Events, LISTENERS, Listener, Next};
use crate::state::App;

/// A comment this often keeps proxies from closing the stream.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Tells of connections, of the catalog and of tools.
///
/// Events: `connection_connected`, `connection_expired`, `connection_revoked`, `connection_disconnected`,
/// `catalog_changed`, `tools_changed`, and `lagged` where some are missing. The data are JSON and name what changed, with
/// nothing secret in it. The last 256 events are kept: a client that comes back with `Last-Event-ID` misses none of them.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "events",
    tag = "events",
    params(("last-event-id" = Option<String>, Header, description = "The id of the last event that the client saw.")),
    responses(
        (status = 200, description = "A stream that ends when the engine stops.", content_type = "text/event-stream", body = String),
        (status = 401, description = "`INVALID_KEY`", body = ErrorBody),
        (status = 429, description = "`RATE_LIMITED`: 16 clients listen already.", body = ErrorBody),
    ),
)]
pub(super) async fn get(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let events = &app.assets.events;
    let after = headers.get("last-event-id").map(|id| {
        // What is no id of ours is an id of a life that nobody remembers.
        id.to_str().ok().and_then(parse).unwrap_or_default()
    });
    let listener = events.listen(after).ok_or(AssetError::RateLimited {
        limit: "as many clients as may listen to events do",
        retry_after: HEARTBEAT,
    })?;
    tracing::debug!(most = LISTENERS, "a client listens to events");
    let stream = told(events.clone(), listener);
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(stream).keep_alive(heartbeat).into_response())
}

fn told(
    events: Events,
    listener: Listener,
) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
    stream::unfold((events, listener), |(events, mut listener)| async {
        let event = match listener.next().await {
            Next::Event(event) => Event::default()
                .id(format!("{}-{}", events.life(), event.number))
                .event(event.kind.as_str())
                .data(event.data.to_string()),
            // No id: after another break the client comes back with the last event that it did see.
            Next::Lagged(missed) => Event::default()
                .event("lagged")
                .data(json!({ "missed": missed }).to_string()),
            Next::End => return None,
        };
        Some((Ok(event), (events, listener)))
    })
}

/// `<life>-<number>`.
fn parse(id: &str) -> Option<(u64, u64)> {
    let (life, number) = id.split_once('-')?;
    Some((life.parse().ok()?, number.parse().ok()?))
}
