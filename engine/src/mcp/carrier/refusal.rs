//! What an answer that is no success means.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::{Carrier, Reply};
use crate::mcp::McpError;
use crate::mcp::rpc::Incoming;
use crate::oauth::Challenge;

/// Largest body of a refusal that is read, in bytes.
const BODY_MAX: usize = 64 * 1024;
/// Longest wait that a server can ask for.
const RETRY_MAX: Duration = Duration::from_hours(24);
/// How servers on the reference SDKs refuse at the door: no such session, not initialized, another revision.
const AT_THE_DOOR: i64 = -32000;
/// `UnsupportedProtocolVersion` of the revision 2026-07-28.
const OTHER_REVISION: i64 = -32022;

/// Reads a refusal. `established` = the request went out in a session, or in a revision that the server spoke before.
pub async fn refusal(carrier: &Carrier, reply: Reply, established: bool) -> McpError {
    let (status, headers) = (reply.response.status(), reply.response.headers());
    match status {
        StatusCode::UNAUTHORIZED => McpError::Unauthorized {
            challenge: challenge(headers),
            generation: reply.generation,
        },
        StatusCode::FORBIDDEN => {
            let challenge = challenge(headers);
            if challenge.wants_more_scope() {
                McpError::InsufficientScope { challenge }
            } else {
                unexpected(status, headers)
            }
        }
        StatusCode::TOO_MANY_REQUESTS => McpError::RateLimited {
            retry_after: retry_after(headers),
        },
        _ if status.is_client_error() => refused(carrier, reply, established).await,
        _ => unexpected(status, headers),
    }
}

fn challenge(headers: &HeaderMap) -> Box<Challenge> {
    let values = &headers.get_all(WWW_AUTHENTICATE);
    Box::new(Challenge::parse(values).unwrap_or_default())
}

/// A 4xx may carry the protocol's own error.
async fn refused(carrier: &Carrier, reply: Reply, established: bool) -> McpError {
    let status = reply.response.status();
    let otherwise = unexpected(status, reply.response.headers());
    let body = carrier.collect(reply.response, BODY_MAX).await;
    let body = body.unwrap_or_default();
    let answer = Incoming::read(&body).map(Incoming::into_answer);
    let Ok(Err(error @ McpError::Rpc { code, .. })) = answer else {
        let lost = established && status == StatusCode::NOT_FOUND;
        return if lost {
            McpError::SessionLost
        } else {
            otherwise
        };
    };
    match (status, code) {
        (StatusCode::BAD_REQUEST, AT_THE_DOOR | OTHER_REVISION) if established => {
            McpError::SessionLost
        }
        // An unknown method is 404 as well, and the session is fine.
        (StatusCode::NOT_FOUND, code) if established && code != -32601 => McpError::SessionLost,
        _ => error,
    }
}

fn unexpected(status: StatusCode, headers: &HeaderMap) -> McpError {
    McpError::Status {
        status: status.as_u16(),
        retry_after: retry_after(headers),
    }
}

/// `Retry-After` (RFC 9110 §10.2.3). A date counts from the answer's own date, so no two clocks are compared.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    let wait = if let Ok(seconds) = asked.parse() {
        Duration::from_secs(seconds)
    } else {
        let wait = date(asked)?.duration_since(date(text(DATE)?)?);
        Duration::try_from(wait).ok()?
    };
    Some(wait.min(RETRY_MAX))
}

fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(retry_after_: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after_.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn reads_how_long_to_wait_in_seconds_and_as_a_date() {
        let (now, later) = (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:50:07 GMT",
        );
        assert_eq!(asked("7", None), Some(Duration::from_secs(7)));
        assert_eq!(asked(later, Some(now)), Some(Duration::from_secs(30)));
        assert_eq!(asked("99999999999", None), Some(RETRY_MAX));
        for (text, date) in [
            ("-1", None),
            ("soon", Some(now)),
            (later, None),
            (now, Some(later)),
        ] {
            assert_eq!(asked(text, date), None, "{text}");
        }
    }
}
