//! Where the brain is, and what it must be.

use std::path::PathBuf;
use std::time::Duration;

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

const SECONDS: &str = "a whole number of seconds, 0 to 600";

/// Reads `BRAIN_WAIT_SECONDS`. The default is as long as a pod of a class may take to stop by default.
pub(super) fn patience(environment: &Environment) -> Result<Duration, ConfigError> {
    let seconds: u64 = environment.parsed(env::BRAIN_WAIT_SECONDS, SECONDS, 30)?;
    if seconds > 600 {
        return Err(ConfigError::Invalid {
            variable: env::BRAIN_WAIT_SECONDS,
            expected: SECONDS,
        });
    }
    Ok(Duration::from_secs(seconds))
}
