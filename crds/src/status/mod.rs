//! The status of a `UserEngine`: a view of what is there, never a source of decisions that destroy.

mod encryption;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use encryption::{EncryptionInfo, KEYS_MAX, KeyInfo, RotationInfo};

/// What the operator saw last.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserEngineStatus {
    /// One word for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The class in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// The node that runs the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The address under which the outside reaches the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The engine that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineInfo>,
    /// The brain's volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageInfo>,
    /// The brain's keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<EncryptionInfo>,
    /// The API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKeyInfo>,
    /// What all of this was made from, as a digest: while it is the same, an operator that starts has nothing to do here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub settled: Option<String>,
    /// What holds and what does not, each with a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_string()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}

impl UserEngineStatus {
    /// Has an operator said anything yet? Until then the definition's default is read.
    pub fn is_told(&self) -> bool {
        self.observed_generation.is_some()
    }
}

/// One word for the state of an engine.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Phase {
    /// It has no volume yet, and nothing is in the way.
    Pending,
    /// Its volume or its pod is coming up.
    Starting,
    /// It serves.
    Ready,
    /// It finishes what is in flight, to be stopped as requested.
    Suspending,
    /// Stopped on request; brain and keys are kept.
    Suspended,
    /// Stopped while every sealed value gets another key; it comes back by itself.
    Rotating,
    /// Somebody has to act; the condition `Ready` says on what.
    Blocked,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Starting,
        Self::Ready,
        Self::Suspending,
        Self::Suspended,
        Self::Rotating,
        Self::Blocked,
    ];

    /// The variant's name, also the label of the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Starting => "Starting",
            Self::Ready => "Ready",
            Self::Suspending => "Suspending",
            Self::Suspended => "Suspended",
            Self::Rotating => "Rotating",
            Self::Blocked => "Blocked",
        }
    }
}

/// The engine that runs.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineInfo {
    /// Its image.
    pub image: String,
    /// The version that it reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The brain's volume.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageInfo {
    /// Name of the claim.
    pub claim: String,
    /// The engine was Ready once: from then on a brain that is missing is lost, and never made anew.
    #[serde(default)]
    pub initialised: bool,
    /// Size of the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
}

/// The rotations of the API key.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyInfo {
    /// The id of the last request that is done: its key is in the Secret, and the engine accepts no former one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_id: Option<String>,
    /// How far the one is that runs: Publishing (the engine learns of the next key), Overlapping (the Secret holds it, and the
    /// former one is accepted as well), Retiring (the engine forgets the former one). Absent if none runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What the one that runs waits for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}
