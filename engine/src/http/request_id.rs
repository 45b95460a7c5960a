//! An id for each request, in its answer and in every log line about it.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

const REQUEST_ID: &str = "x-request-id";
const LONGEST: usize = 64;

/// The id of a request, for handlers.
#[derive(Debug, Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Takes over the caller's id if it is harmless in a log, else makes one.
pub(super) async fn assign(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .filter(|id| is_safe(id))
        .cloned()
        .unwrap_or_else(make);
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::error_span!("request", request_id = id.to_str().unwrap_or_default());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn is_safe(id: &HeaderValue) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id
            .as_bytes()
            .iter()
            .all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(c))
}

/// An id only tells requests apart: without a random source all of them are called 0.
fn make() -> HeaderValue {
    let id = getrandom::u64().unwrap_or_default();
    HeaderValue::from_str(&format!("{id:016x}")).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_over_only_what_is_harmless_in_a_log() {
        let long = "a".repeat(65);
        for (id, expected) in [
            ("a-B_9.z", true),
            ("", false),
            ("a b", false),
            ("a\"}", false),
            (long.as_str(), false),
        ] {
            assert_eq!(
                is_safe(&HeaderValue::from_str(id).unwrap()),
                expected,
                "{id:?}"
            );
        }
    }
}
