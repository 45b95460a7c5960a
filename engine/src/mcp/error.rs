//! Why a call got no result.

use std::time::Duration;

use crate::egress::FetchError;
use crate::oauth::Challenge;

/// Why a call got no result. No variant holds a header, an argument or a result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum McpError {
    /// 401. `generation` is that of the credential that was refused.
    #[error("the server did not accept the credential")]
    Unauthorized {
        /// What the server asks for.
        challenge: Box<Challenge>,
        /// Which credential it was.
        generation: u64,
    },
    /// 403 with `insufficient_scope`.
    #[error("the server asks for more scope")]
    InsufficientScope {
        /// What the server asks for.
        challenge: Box<Challenge>,
    },
    /// 429.
    #[error("the server limits the rate")]
    RateLimited {
        /// How long to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// No answer. [`FetchError::never_sent`] tells whether the call may have run.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// 5xx or another status that is none of the protocol's.
    #[error("the server answered {status}")]
    Status {
        /// HTTP status.
        status: u16,
        /// How long to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// The server spoke something else than MCP.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
    /// The server asks the person or the client for more before it goes on; the engine cannot give it.
    #[error("the server asks for input that the engine cannot give: {0}")]
    InputRequired(String),
    /// The credential could not be opened: nothing was sent.
    #[error("failed to open the credential: {0}")]
    Credential(String),
    /// The request is larger than a server is sent: nothing was sent.
    #[error("the request has {size} bytes; at most {limit} are sent")]
    RequestTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A JSON-RPC error: the server understood and said no.
    #[error("the server refused: {code}: {message}")]
    Rpc {
        /// JSON-RPC code.
        code: i64,
        /// The server's words, at most 500 characters.
        message: String,
    },
    /// The server refused the request because it no longer knows the session: open another.
    #[error("the server no longer knows the session")]
    SessionLost,
    /// The session or the child ended; a call that was under way may have run.
    #[error("the session ended: {0}")]
    Closed(String),
}

impl McpError {
    /// Is it certain that the tool did not run? Then, and only then, a call may be sent again.
    pub fn never_ran(&self) -> bool {
        match self {
            Self::Fetch(error) => error.never_sent(),
            Self::Unauthorized { .. }
            | Self::InsufficientScope { .. }
            | Self::RateLimited { .. }
            | Self::Credential(_)
            | Self::RequestTooLarge { .. }
            | Self::SessionLost => true,
            Self::Status { .. }
            | Self::Protocol(_)
            | Self::InputRequired(_)
            | Self::Rpc { .. }
            | Self::Closed(_) => false,
        }
    }
}
