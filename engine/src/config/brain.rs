//! Where the brain is, and what it must be.

use std::path::PathBuf;
use std::str::FromStr;

use userengine_api::layout::{BRAIN_FILE, env};

use super::{ConfigError, Environment};
use crate::domain::DatabaseId;

/// The brain's file and the expectations on it.
#[derive(Debug, Clone)]
pub struct BrainConfig {
    /// The file.
    pub path: PathBuf,
    /// May a brain be made?
    pub mode: BrainMode,
    /// The id that the brain must carry; `None` takes what is there.
    pub database_id: Option<DatabaseId>,
}

/// May a brain be made where there is none?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrainMode {
    /// Yes; one that is there is opened.
    Create,
    /// No: an emptied volume is not a new user.
    Existing,
}

impl BrainConfig {
    /// Reads `SQLITE_DB_PATH`, `BRAIN_MODE` and `DATABASE_ID`.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
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
        Ok(Self {
            path,
            mode,
            database_id,
        })
    }
}

impl FromStr for BrainMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "create" => Ok(Self::Create),
            "existing" => Ok(Self::Existing),
            _ => Err(()),
        }
    }
}
