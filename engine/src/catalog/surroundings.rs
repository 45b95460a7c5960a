//! What an entry is judged by, beyond itself.

use std::path::PathBuf;

use crate::config::ConnectorsConfig;
use crate::egress::Allowed;

/// Where this engine runs, as far as entries are concerned.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// Folder of the Secrets.
    pub secrets: Option<PathBuf>,
    /// Does it run on Kubernetes? Then it starts no children, and reads secrets in one folder only.
    pub on_kubernetes: bool,
    /// What `EGRESS_ALLOW` opens.
    pub allowed: Vec<Allowed>,
}

impl From<&ConnectorsConfig> for Surroundings {
    fn from(config: &ConnectorsConfig) -> Self {
        Self {
            secrets: config.secrets.clone(),
            on_kubernetes: config.name.is_some(),
            allowed: config.egress_allow.clone(),
        }
    }
}
