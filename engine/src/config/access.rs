//! Which API keys are accepted.

use std::path::PathBuf;

use userengine_api::layout::env;
use zeroize::Zeroizing;

use super::{ConfigError, Environment};
use crate::domain::{KeyHash, KeyHashes};

/// The source of the list of hashes. A key given as plain text is hashed here and forgotten.
#[derive(Debug)]
pub enum AccessConfig {
    /// A list that stays.
    Fixed(KeyHashes),
    /// A file that may change.
    File(PathBuf),
}

const ONE_OF: &str = "ENGINE_API_KEY, ENGINE_KEY_HASH or ENGINE_KEY_HASH_FILE";

impl AccessConfig {
    /// Reads `ENGINE_API_KEY`, `ENGINE_KEY_HASH` or `ENGINE_KEY_HASH_FILE`.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let plain = environment.text(env::ENGINE_API_KEY)?.map(Zeroizing::new);
        let hashes = environment.text(env::ENGINE_KEY_HASH)?;
        let file = environment.path(env::ENGINE_KEY_HASH_FILE)?;
        match (plain, hashes, file) {
            (Some(key), None, None) => hash_of(&key).map(Self::Fixed),
            (None, Some(list), None) => list.parse().map(Self::Fixed).map_err(|_| {
                ConfigError::Invalid {
                    variable: env::ENGINE_KEY_HASH,
                    expected: "one or more SHA-256 hashes, each 64 hex digits, separated by commas",
                }
            }),
            (None, None, Some(file)) => Ok(Self::File(file)),
            (None, None, None) => Err(ConfigError::Missing(ONE_OF)),
            _ => Err(ConfigError::Ambiguous(ONE_OF)),
        }
    }
}

/// A key that a header cannot carry would lock everybody out.
fn hash_of(key: &str) -> Result<KeyHashes, ConfigError> {
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConfigError::Invalid {
            variable: env::ENGINE_API_KEY,
            expected: "one or more visible ASCII characters, without blanks or a newline at the end",
        });
    }
    Ok(KeyHashes::one(KeyHash::of(key.as_bytes())))
}
