//! The API key.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;

use super::error::ApiError;
use crate::domain::KeyMatch;
use crate::state::App;

const KEY: &str = "x-engine-key";
/// Tells a caller whose key works only until the overlap ends.
const KEY_STATUS: &str = "x-engine-key-status";

/// Lets a request through if it carries an accepted key.
pub(super) async fn require_key(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let mut keys = request.headers().get_all(KEY).iter();
    // Two of them would let a proxy and the engine disagree on which one counts.
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(ApiError::InvalidKey);
    };
    let found = app
        .access
        .current()
        .find(key.as_bytes())
        .ok_or(ApiError::InvalidKey)?;
    let mut response = next.run(request).await;
    if found == KeyMatch::Retiring {
        response
            .headers_mut()
            .insert(KEY_STATUS, HeaderValue::from_static("retiring"));
    }
    Ok(response)
}
