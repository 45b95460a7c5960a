//! What an answer says of the server, and what the caller is told.

use std::time::Duration;

use crate::assets::FailureReason;
use crate::assets::breaker::Verdict;
use crate::egress::FetchError;
use crate::mcp::McpError;

/// What a failed request says of the server; `None` if it says nothing, because nothing reached it.
pub(in crate::assets) fn verdict(error: &McpError) -> Option<Verdict> {
    Some(match error {
        // It answered. That it said no is between it and the caller.
        McpError::Unauthorized { .. }
        | McpError::InsufficientScope { .. }
        | McpError::RateLimited { .. }
        | McpError::Rpc { .. }
        | McpError::InputRequired(_)
        | McpError::SessionLost
        | McpError::Fetch(FetchError::TooLarge { .. }) => Verdict::Alive,
        McpError::Credential(_)
        | McpError::RequestTooLarge { .. }
        | McpError::Fetch(FetchError::Forbidden { .. }) => return None,
        McpError::Fetch(
            FetchError::Dns { .. }
            | FetchError::Connect { .. }
            | FetchError::Tls { .. }
            | FetchError::Broken { .. },
        ) => Verdict::Unreachable,
        McpError::Fetch(FetchError::Timeout { .. } | FetchError::Redirect { .. } | FetchError::Compressed { .. })
        | McpError::Status { .. }
        | McpError::Protocol(_)
        // A child that died would be started again at once, and once a second: it is given rest instead.
        | McpError::Closed(_) => Verdict::Unwell,
    })
}

/// `details.reason` and `retry_after` of a failure that is none of the caller's making.
pub(in crate::assets) fn failure(error: &McpError) -> (FailureReason, Option<Duration>) {
    match error {
        McpError::RateLimited { retry_after } => (FailureReason::RateLimited, *retry_after),
        McpError::Status { retry_after, .. } => (FailureReason::Unreachable, *retry_after),
        McpError::Fetch(FetchError::Timeout { .. }) => (FailureReason::Timeout, None),
        McpError::Fetch(
            FetchError::TooLarge { .. }
            | FetchError::Redirect { .. }
            | FetchError::Compressed { .. },
        )
        | McpError::Unauthorized { .. }
        | McpError::InsufficientScope { .. }
        | McpError::Protocol(_)
        | McpError::InputRequired(_)
        | McpError::RequestTooLarge { .. }
        | McpError::Rpc { .. } => (FailureReason::Protocol, None),
        McpError::Fetch(_)
        | McpError::Credential(_)
        | McpError::SessionLost
        | McpError::Closed(_) => (FailureReason::Unreachable, None),
    }
}
