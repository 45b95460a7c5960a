//! Why a step of the protocol failed.

use std::time::Duration;

use super::words;
use crate::egress::FetchError;

/// Why a step of the protocol failed. Texts of a provider are cut to 200 visible characters and never hold a code or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OauthError {
    /// The request got no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Metadata are missing, contradict each other or lack what the engine insists on (S256).
    #[error("the authorization server cannot be used: {0}")]
    Unusable(String),
    /// The provider said no (RFC 6749 §5.2, RFC 7591 §3.2.2).
    #[error("the provider refused: {code}: {description}")]
    Refused {
        /// `invalid_grant` and the like. What GitHub and Slack call by names of their own has the RFC's name here.
        code: String,
        /// The provider's words.
        description: String,
    },
    /// The provider is in trouble: 5xx, 429, or an answer that says so. Trying again later may help.
    #[error("the provider answered {status}")]
    Unwell {
        /// HTTP status.
        status: u16,
        /// Seconds to wait, if it said so.
        retry_after: Option<u64>,
    },
    /// The answer is not what the protocol says.
    #[error("the provider's answer cannot be used: {0}")]
    Malformed(&'static str),
}

impl OauthError {
    /// Metadata that may not be used, and why.
    pub(super) fn unusable(why: impl Into<String>) -> Self {
        Self::Unusable(why.into())
    }

    /// The error that a provider sent the person back with (RFC 6749 §4.1.2.1).
    pub fn in_redirect(code: &str, description: &str) -> Self {
        Self::Refused {
            code: words::code(code, &[]),
            description: words::clean(description, &[]),
        }
    }

    /// How long a provider in trouble asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unwell { retry_after, .. } => retry_after.map(Duration::from_secs),
            _ => None,
        }
    }

    /// Is the grant (the code, the refresh token) dead for good? Only a person can help then.
    pub fn grant_is_over(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "invalid_grant")
    }
}
