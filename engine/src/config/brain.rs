//! Where the brain is, and what it must be.

use std::path::PathBuf;

use userengine_api::layout::{BRAIN_FILE, env};
use userengine_brain::domain::DatabaseId;
use userengine_brain::store::{BrainConfig, BrainMode};

use super::{ConfigError, Environment};

/// Reads `SQLITE_DB_PATH`, `BRAIN_MODE` and `DATABASE_ID`.
pub(super) fn read(environment: &Environment) -> Result<BrainConfig, ConfigError> {
    let path = environment
        .path(env::SQLITE_DB_PATH)?
        .unwrap_or_else(|| PathBuf::from(BRAIN_FILE));
    if path.file_name().is_none() {
        return Err(ConfigError::Invalid {
            variable: env::SQLITE_DB_PATH,
            expected: "the path of a file",
        });
    }
    let mode = environment.parsed(env::BRAIN_MODE, "create or existing", BrainMode::Create)?;
    let database_id = match environment.text(env::DATABASE_ID)? {
        Some(text) => Some(
            DatabaseId::try_from(text).map_err(|_| ConfigError::Invalid {
                variable: env::DATABASE_ID,
                expected: "1 to 63 characters of a-z A-Z 0-9 and '-'",
            })?,
        ),
        None => None,
    };
    Ok(BrainConfig {
        path,
        mode,
        database_id,
    })
}
