//! The configuration: the only place that reads the environment, once, one struct a concern.
//!
//! A bad value stops the start with the variable's name and what was expected. No error repeats a
//! value: people paste keys into the wrong variable.

mod access;
mod brain;
mod client_metadata;
mod connectors;
mod environment;
mod error;
mod http;
mod limits;
mod log;
mod refusal;
mod relay;
mod ring;
mod rotation;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use access::AccessConfig;
pub use connectors::ConnectorsConfig;
pub use environment::Environment;
pub use error::ConfigError;
pub use http::{HttpConfig, parse_web_url};
pub use limits::Limits;
pub use log::{LogConfig, LogFormat};
pub use refusal::read as refusal_file;
pub use relay::RelayConfig;
pub use rotation::RotationConfig;
pub use userengine_brain::ring::RingConfig;
pub use userengine_brain::store::{BrainConfig, BrainMode};

/// Everything but the log, which is read first so that it can tell of the rest.
#[derive(Debug)]
pub struct Config {
    /// Where the brain is and what it must be.
    pub brain: BrainConfig,
    /// How long a start waits for another process that has the brain open.
    pub brain_patience: Duration,
    /// Where the encryption keys come from.
    pub ring: RingConfig,
    /// Which API keys are accepted.
    pub access: AccessConfig,
    /// Addresses, and how long a stop may take.
    pub http: HttpConfig,
    /// What the connections to MCP servers need.
    pub connectors: ConnectorsConfig,
}

impl Config {
    /// The folders of the brain, of the ring and of the list of API keys: what a start refuses may be mended there while the process runs.
    pub fn folders(&self) -> Vec<PathBuf> {
        let ring = match &self.ring {
            RingConfig::Folder(folder) => Some(folder.as_path()),
            RingConfig::Single(_) => None,
        };
        let access = match &self.access {
            AccessConfig::File(file) => file.parent(),
            AccessConfig::Fixed(_) => None,
        };
        let all = [self.brain.path.parent(), ring, access];
        all.into_iter().flatten().map(Path::to_owned).collect()
    }

    /// Reads all of it.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let http = HttpConfig::read(environment)?;
        Ok(Self {
            brain: brain::read(environment)?,
            brain_patience: brain::patience(environment)?,
            ring: ring::read(environment)?,
            access: AccessConfig::read(environment)?,
            connectors: ConnectorsConfig::read(environment, &http)?,
            http,
        })
    }
}
