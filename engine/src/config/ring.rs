//! Where the encryption keys come from.

use userengine_api::key::EncryptionKey;
use userengine_api::layout::env;
use userengine_brain::ring::RingConfig;
use zeroize::Zeroizing;

use super::{ConfigError, Environment};

/// Reads `AD_ENCRYPTION_KEY` or `KEYRING_DIR`.
pub(super) fn read(environment: &Environment) -> Result<RingConfig, ConfigError> {
    let single = environment
        .text(env::AD_ENCRYPTION_KEY)?
        .map(Zeroizing::new);
    match (single, environment.path(env::KEYRING_DIR)?) {
        (Some(text), None) => Ok(RingConfig::Single(EncryptionKey::parse(text.as_bytes())?)),
        (None, Some(folder)) => Ok(RingConfig::Folder(folder)),
        (None, None) => Err(ConfigError::NoEncryptionKey),
        (Some(_), Some(_)) => Err(ConfigError::Ambiguous("AD_ENCRYPTION_KEY or KEYRING_DIR")),
    }
}
