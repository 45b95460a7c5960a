//! Where a start that is refused leaves why.

use std::path::PathBuf;

use userengine_api::layout::env;

use super::{ConfigError, Environment};

/// Reads `REFUSAL_FILE`; `None` if each refusal is to end the process.
pub fn read(environment: &Environment) -> Result<Option<PathBuf>, ConfigError> {
    environment.path(env::REFUSAL_FILE)
}
