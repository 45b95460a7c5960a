//! How engines follow a change of their class.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How engines follow a change of their class that restarts them.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// How many of the engines that serve are restarted at a time. Those that do not come up count on, so that a change
    /// that is wrong stops there.
    #[serde(default = "few")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_concurrent: u16,
}

fn few() -> u16 {
    10
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            max_concurrent: few(),
        }
    }
}
