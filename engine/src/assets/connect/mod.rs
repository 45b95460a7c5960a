//! Connect: from a server's name to a connection that works, or to a URL where a person makes it work.
//!
//! `request` checks what was asked; `settled` connects with a credential that is at hand; `authorize` begins an
//! authorization; `client` chooses as whom.

mod authorize;
mod client;
mod request;
mod settled;

pub(super) use authorize::{FlowRequest, prepare, remember};
pub use request::ConnectRequest;

use url::Url;

use super::{AssetError, Directory, FailureReason};
use crate::domain::{AuthMethod, ConnectionId, ConnectionStatus};
use crate::mcp::McpError;
use request::Wanted;

/// What a connect led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The connection.
    pub id: ConnectionId,
    /// `connected`, or `pending_oauth` until the person comes back.
    pub status: ConnectionStatus,
    /// Where the person consents.
    pub auth_url: Option<Url>,
}

impl Directory {
    /// Connects a server. The same server under the same alias again is a reconnect: the `ref_id` stays.
    pub async fn connect(&self, request: ConnectRequest) -> Result<Connected, AssetError> {
        let wanted = Wanted::check(self, request)?;
        match wanted.entry.auth_method {
            AuthMethod::Oauth => authorize::begin(self, wanted).await,
            AuthMethod::Static | AuthMethod::None => settled::connect(self, wanted).await,
        }
    }
}

/// A server that could not be asked, in the words of the API.
pub(super) fn unreachable(alias: &str, error: &McpError) -> AssetError {
    use crate::egress::FetchError;
    let (reason, retry_after) = match error {
        McpError::RateLimited { retry_after } => (FailureReason::RateLimited, *retry_after),
        McpError::Status {
            status: 500..,
            retry_after,
        } => (FailureReason::Unreachable, *retry_after),
        McpError::Fetch(FetchError::Timeout { .. }) => (FailureReason::Timeout, None),
        McpError::Fetch(_) | McpError::Closed(_) => (FailureReason::Unreachable, None),
        _ => (FailureReason::Protocol, None),
    };
    AssetError::ConnectionFailed {
        alias: alias.to_owned(),
        reason,
        retry_after,
        problem: error.to_string(),
    }
}
