//! Why a request about connections or tools is not answered as asked.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::domain::{Scopes, ServerName};
use crate::egress::FetchError;
use crate::oauth::OauthError;
use crate::store::StoreError;

/// Why not. Each variant is one code of the API (`http/error.rs`); no text repeats a secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AssetError {
    /// `SERVER_NOT_FOUND`, 404.
    #[error("the catalog has no server {0:?}: GET /assets/servers lists them")]
    ServerNotFound(String),
    /// `SERVER_UNAVAILABLE`, 503: it is in the catalog and cannot be used here, or is no longer in it.
    #[error("the server {server} is unavailable: {why}")]
    ServerUnavailable {
        /// Its name.
        server: String,
        /// Why.
        why: String,
    },
    /// `CONNECTION_NOT_FOUND`, 404.
    #[error("there is no connection {0:?}")]
    ConnectionNotFound(String),
    /// `ALREADY_CONNECTED`, 409.
    #[error(
        "{alias} is connected already as {ref_id}: choose another alias, disconnect it, or send \"reconnect\": true to connect the same server again"
    )]
    AlreadyConnected {
        /// The alias.
        alias: String,
        /// The connection that has it.
        ref_id: String,
    },
    /// `INVALID_REQUEST`, 422: names the field and the cure.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field of the body.
        field: Cow<'static, str>,
        /// What is wrong and what to do.
        problem: String,
    },
    /// `MCP_CREDENTIAL_REJECTED`, 422: the server did not take the static credential.
    #[error("the server {0} did not accept the credential")]
    CredentialRejected(String),
    /// `OAUTH_FAILED`, 502: no authorization can be begun or finished with this provider.
    #[error("authorization with {server} failed: {why}")]
    OauthFailed {
        /// The server.
        server: String,
        /// The kind, for `details.reason`.
        reason: FailureReason,
        /// When the provider asked to be tried again.
        retry_after: Option<Duration>,
        /// Why, in words without secrets.
        why: String,
    },
    /// `TOOL_NOT_FOUND`, 404.
    #[error("there is no tool {0:?}: GET /tools lists them")]
    ToolNotFound(String),
    /// `INVALID_ARGUMENTS`, 422.
    #[error("the arguments do not fit the tool's input_schema at {path}: {problem}")]
    InvalidArguments {
        /// JSON Pointer into the arguments.
        path: String,
        /// What the schema asks for.
        problem: String,
    },
    /// `RATE_LIMITED`, 429: the engine's own limit.
    #[error("too many calls at once: {limit}")]
    RateLimited {
        /// Which limit.
        limit: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// `MCP_TOKEN_EXPIRED`, 401.
    #[error("the credential of {alias} no longer works: connect it again")]
    TokenExpired {
        /// The alias.
        alias: String,
        /// The connection.
        ref_id: String,
    },
    /// `MCP_SCOPE_MISSING`, 403.
    #[error("the connection {alias} lacks the scopes {missing}")]
    ScopeMissing {
        /// The alias.
        alias: String,
        /// What is missing.
        missing: Scopes,
        /// Where the person grants the union; `None` if no authorization could be begun.
        auth_url: Option<Box<Url>>,
    },
    /// `MCP_CONNECTION_FAILED`, 502.
    #[error("the connection {alias} failed: {problem}")]
    ConnectionFailed {
        /// The alias.
        alias: String,
        /// The kind, for `details.reason`.
        reason: FailureReason,
        /// When a call may work again.
        retry_after: Option<Duration>,
        /// In words.
        problem: String,
    },
    /// `AUDIT_UNAVAILABLE`, 503: a write whose audit row could not be stored was not sent.
    #[error("the call was not made: its audit row could not be stored")]
    AuditUnavailable,
    /// `STORAGE_FAILED`, 503: the brain cannot store it now.
    #[error("{0}: nothing can be stored now")]
    StorageFailed(&'static str),
    /// `NOT_READY`, 503: the engine stops.
    #[error("the engine is stopping")]
    Interrupted,
    /// `INTERNAL`, 500: without random numbers nothing secret can be made.
    #[error("this machine gives no random numbers")]
    NoRandomness,
    /// `INTERNAL`, 500.
    #[error(transparent)]
    Store(Arc<StoreError>),
}

impl AssetError {
    /// The code in the API and in the audit.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ServerNotFound(_) => "SERVER_NOT_FOUND",
            Self::ServerUnavailable { .. } => "SERVER_UNAVAILABLE",
            Self::ConnectionNotFound(_) => "CONNECTION_NOT_FOUND",
            Self::AlreadyConnected { .. } => "ALREADY_CONNECTED",
            Self::Invalid { .. } => "INVALID_REQUEST",
            Self::CredentialRejected(_) => "MCP_CREDENTIAL_REJECTED",
            Self::OauthFailed { .. } => "OAUTH_FAILED",
            Self::ToolNotFound(_) => "TOOL_NOT_FOUND",
            Self::InvalidArguments { .. } => "INVALID_ARGUMENTS",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::TokenExpired { .. } => "MCP_TOKEN_EXPIRED",
            Self::ScopeMissing { .. } => "MCP_SCOPE_MISSING",
            Self::ConnectionFailed { .. } => "MCP_CONNECTION_FAILED",
            Self::AuditUnavailable => "AUDIT_UNAVAILABLE",
            Self::StorageFailed(_) => "STORAGE_FAILED",
            Self::Interrupted => "NOT_READY",
            Self::NoRandomness | Self::Store(_) => "INTERNAL",
        }
    }

    /// A word for metrics: of a connection that failed the reason, else the code in lower case.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ConnectionFailed { reason, .. } => reason.as_str(),
            Self::ServerUnavailable { .. } => "server_unavailable",
            Self::ToolNotFound(_) => "tool_not_found",
            Self::InvalidArguments { .. } => "invalid_arguments",
            Self::RateLimited { .. } => "busy",
            Self::TokenExpired { .. } => "token_expired",
            Self::ScopeMissing { .. } => "scope_missing",
            Self::AuditUnavailable => "audit_unavailable",
            Self::StorageFailed(_) => "storage_failed",
            Self::Interrupted => "stopping",
            _ => "internal",
        }
    }
}

impl AssetError {
    /// `OAUTH_FAILED`, with `why` in words.
    pub(super) fn oauth_failed(server: &ServerName, error: &OauthError, why: String) -> Self {
        Self::OauthFailed {
            server: server.to_string(),
            reason: error.into(),
            retry_after: error.retry_after(),
            why,
        }
    }
}

impl From<StoreError> for AssetError {
    fn from(error: StoreError) -> Self {
        match error.trouble() {
            Some(trouble) => {
                tracing::error!(%error, "the brain's volume fails");
                Self::StorageFailed(trouble)
            }
            None => Self::Store(Arc::new(error)),
        }
    }
}

/// `details.reason` of `MCP_CONNECTION_FAILED` and `OAUTH_FAILED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// It was disconnected, or never connected.
    NotConnected,
    /// Nobody answers there.
    Unreachable,
    /// The answer took too long; a call may have run.
    Timeout,
    /// The breaker is open.
    CircuitOpen,
    /// The server limits the rate.
    RateLimited,
    /// The server did not speak MCP, or the provider not OAuth, or it said no.
    Protocol,
}

impl From<&OauthError> for FailureReason {
    fn from(error: &OauthError) -> Self {
        match error {
            OauthError::Fetch(FetchError::Timeout { .. }) => Self::Timeout,
            OauthError::Fetch(
                FetchError::TooLarge { .. }
                | FetchError::Redirect { .. }
                | FetchError::Compressed { .. },
            )
            | OauthError::Refused { .. }
            | OauthError::Unusable(_)
            | OauthError::Malformed(_) => Self::Protocol,
            OauthError::Unwell { status: 429, .. } => Self::RateLimited,
            OauthError::Fetch(_) | OauthError::Unwell { .. } => Self::Unreachable,
        }
    }
}

impl FailureReason {
    /// The name in the API and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::CircuitOpen => "circuit_open",
            Self::RateLimited => "rate_limited",
            Self::Protocol => "protocol",
        }
    }
}
