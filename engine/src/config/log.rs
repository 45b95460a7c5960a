//! Level and shape of the log.

use std::str::FromStr;

use tracing::Level;
use userengine_api::layout::env;

use super::{ConfigError, Environment};

/// How much is logged, and in which shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    /// Events above this level are dropped.
    pub level: Level,
    /// One JSON object or one readable line.
    pub format: LogFormat,
}

/// Shape of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For machines.
    Json,
    /// For people.
    Pretty,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: Level::INFO,
            format: LogFormat::Json,
        }
    }
}

impl LogConfig {
    /// Reads `ENGINE_LOG_LEVEL` and `ENGINE_LOG_FORMAT`.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let default = Self::default();
        let level = environment.parsed(env::ENGINE_LOG_LEVEL, LEVELS, LevelName(default.level))?;
        let format =
            environment.parsed(env::ENGINE_LOG_FORMAT, "json or pretty", default.format)?;
        Ok(Self {
            level: level.0,
            format,
        })
    }
}

const LEVELS: &str = "error, warn, info, debug or trace";

/// `Level`'s own parser also takes digits, whose order nobody remembers.
struct LevelName(Level);

impl FromStr for LevelName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let level = match text.to_ascii_lowercase().as_str() {
            "error" => Level::ERROR,
            "warn" => Level::WARN,
            "info" => Level::INFO,
            "debug" => Level::DEBUG,
            "trace" => Level::TRACE,
            _ => return Err(()),
        };
        Ok(Self(level))
    }
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            _ => Err(()),
        }
    }
}
