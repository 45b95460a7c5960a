//! What may be asked of an engine's API key.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// The API key, with which the platform's backend calls the engine.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// One request for another API key, by a name that status and Events repeat. It is carried out once: a new request has
    /// a new id, and one that was there when the key was made is satisfied. One that comes while another runs waits until the
    /// former key of that one is not accepted any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = rules::ROTATION_ID))]
    #[x_kube(validation = rules::matches(rules::ROTATION_ID, "rotationId: letters, digits, '-', '_' and '.'"))]
    pub rotation_id: Option<String>,

    /// How long the former key is accepted beside the new one, such as `300s`, at most `168h`. It counts from the moment at
    /// which the Secret holds the new key, and may be changed meanwhile: `0s` ends it.
    #[serde(default = "default_overlap")]
    #[schemars(length(max = 8), regex(pattern = rules::DURATION))]
    #[x_kube(validation = rules::duration("overlap"), validation = rules::at_most_a_week("overlap"))]
    pub overlap: String,
}

fn default_overlap() -> String {
    "300s".to_owned()
}

impl Default for ApiKey {
    fn default() -> Self {
        Self {
            rotation_id: None,
            overlap: default_overlap(),
        }
    }
}
