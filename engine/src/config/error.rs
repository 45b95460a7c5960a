//! What can be wrong with a setting.

use userengine_api::key::KeyError;
use userengine_api::layout::env::{AD_ENCRYPTION_KEY, KEYRING_DIR};
use userengine_api::refusal::{Refusal, RefusalReason};

/// A setting that stops the start. Names the variable and never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// None of the variables that say the same thing is set.
    #[error("set exactly one of {0}: none is set")]
    Missing(&'static str),
    /// A variable without a default is not set.
    #[error("set {0}")]
    Unset(&'static str),
    /// More than one of them is set.
    #[error("set exactly one of {0}: more than one is set")]
    Ambiguous(&'static str),
    /// A value that does not parse.
    #[error("{variable} has a value that the engine cannot use: expected {expected}")]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// What would have parsed.
        expected: &'static str,
    },
    /// No encryption key.
    #[error("set exactly one of {AD_ENCRYPTION_KEY} or {KEYRING_DIR}: no encryption key was given")]
    NoEncryptionKey,
    /// The encryption key is not in its one form.
    #[error("{AD_ENCRYPTION_KEY}: {0}")]
    EncryptionKey(#[from] KeyError),
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        let reason = match error {
            ConfigError::NoEncryptionKey => RefusalReason::KeyMissing,
            ConfigError::EncryptionKey(_) => RefusalReason::KeyMalformed,
            ConfigError::Missing(_)
            | ConfigError::Unset(_)
            | ConfigError::Ambiguous(_)
            | ConfigError::Invalid { .. } => RefusalReason::ConfigInvalid,
        };
        Self::new(reason, error.to_string())
    }
}
