//! Where the encryption keys come from.

use std::path::PathBuf;

use userengine_api::key::EncryptionKey;
use userengine_api::layout::env;
use zeroize::Zeroizing;

use super::{ConfigError, Environment};

/// The source of the ring.
#[derive(Debug)]
pub enum RingConfig {
    /// One key, given as a variable.
    Single(EncryptionKey),
    /// A folder with one file a key, named by its kid.
    Folder(PathBuf),
}

impl RingConfig {
    /// Reads `AD_ENCRYPTION_KEY` or `KEYRING_DIR`.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let single = environment
            .text(env::AD_ENCRYPTION_KEY)?
            .map(Zeroizing::new);
        match (single, environment.path(env::KEYRING_DIR)?) {
            (Some(text), None) => Ok(Self::Single(EncryptionKey::parse(text.as_bytes())?)),
            (None, Some(folder)) => Ok(Self::Folder(folder)),
            (None, None) => Err(ConfigError::NoEncryptionKey),
            (Some(_), Some(_)) => Err(ConfigError::Ambiguous("AD_ENCRYPTION_KEY or KEYRING_DIR")),
        }
    }
}
