//! The variables, as the process has them or as a test gives them.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::ConfigError;

/// Looks variables up.
pub struct Environment(Box<Lookup>);

type Lookup = dyn Fn(&str) -> Option<OsString>;

impl Environment {
    /// The process's own variables.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn of_process() -> Self {
        Self(Box::new(|name| std::env::var_os(name)))
    }

    /// These variables and no others.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let variables: Vec<(String, OsString)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .collect();
        Self(Box::new(move |name| {
            variables
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        }))
    }

    /// The text of a variable; a variable that is set to nothing is set.
    pub(super) fn text(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = (self.0)(variable) else {
            return Ok(None);
        };
        value
            .into_string()
            .map(Some)
            .map_err(|_| ConfigError::Invalid {
                variable,
                expected: "UTF-8 text",
            })
    }

    /// A path that is not empty.
    pub(super) fn path(&self, variable: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        match (self.0)(variable) {
            Some(value) if value.is_empty() => Err(ConfigError::Invalid {
                variable,
                expected: "a path",
            }),
            value => Ok(value.map(PathBuf::from)),
        }
    }

    /// A value with a grammar of its own, or its default.
    pub(super) fn parsed<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &'static str,
        default: T,
    ) -> Result<T, ConfigError> {
        match self.text(variable)? {
            Some(text) => text
                .parse()
                .map_err(|_| ConfigError::Invalid { variable, expected }),
            None => Ok(default),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
