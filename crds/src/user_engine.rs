//! The kind `UserEngine`: one user's engine.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::api_key::ApiKey;
pub use crate::encryption::{Encryption, Rotation, RotationMode};
pub use crate::overrides::{
    AmountsOverride, ResourcesOverride, SourceRef, Variable, VariableSource,
};
use crate::status::UserEngineStatus;
use crate::{encryption, rules};

/// One user's engine: a pod, a brain, an encryption key and the walls around them.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "userengine.dev",
    version = "v1alpha1",
    kind = "UserEngine",
    plural = "userengines",
    namespaced,
    shortname = "ue",
    category = "userengine-all",
    status = "UserEngineStatus",
    derive = "PartialEq",
    doc = "One user's engine: a pod, a brain (a SQLite database on a volume), an encryption key and the walls around them.",
    validation = Rule::new("size(self.metadata.name) <= 40")
        .message("metadata.name: at most 40 characters, because Services and Secrets are named after it"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name: lowercase letters, digits and '-', starting with a letter and ending with a letter or digit, because Services are named after it"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.engine.version"),
    printcolumn(name = "Rotation", type_ = "string", json_path = ".status.encryption.rotation.phase"),
    printcolumn(name = "Key age", type_ = "date", json_path = ".status.encryption.keys[?(@.state=='active')].createdAt"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", priority = 1),
    printcolumn(name = "Paused", type_ = "string", json_path = ".status.conditions[?(@.type=='Paused')].status", priority = 1),
    printcolumn(name = "Class", type_ = "string", json_path = ".status.className", priority = 1),
    printcolumn(name = "Node", type_ = "string", json_path = ".status.node", priority = 1),
    printcolumn(name = "Storage", type_ = "string", json_path = ".status.storage.size", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = encryption::one_request())]
pub struct UserEngineSpec {
    /// The subject that this engine belongs to, as the platform's sign-in names it. Cannot change.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("the user of an engine cannot change: its brain belongs to that user; create another UserEngine instead"),
        validation = Rule::new("self.trim() == self && !self.matches('[[:cntrl:]]')")
            .message("no white space at either end and no control characters")
    )]
    pub user: String,

    /// The EngineClass. Omitted: the class marked as default when the engine is first seen, which then sticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = rules::LABEL))]
    #[x_kube(validation = rules::label("className: the name of an EngineClass"))]
    pub class_name: Option<String>,

    /// True stops the pod and keeps brain, keys and address.
    #[serde(default)]
    pub suspended: bool,

    /// The engine's image, if it is not to be the class's; one that the class's `allowedImages` allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = rules::IMAGE_REFERENCE))]
    #[x_kube(validation = rules::matches(rules::IMAGE_REFERENCE, "image: the reference of an image, such as registry.example.com/engine:1.2.3 or registry.example.com/engine@sha256:0123…"))]
    pub image: Option<String>,

    /// CPU and memory, if they are not to be the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesOverride>,

    /// The brain's volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageOverride>,

    /// Variables of the engine's process, by names that the class's `allowedEnv` allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<Variable>,

    /// Secrets and ConfigMaps to take further variables from, by names that the class's `allowedEnvFrom` allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub env_from: Vec<VariableSource>,

    /// The brain's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,

    /// The key with which the platform's backend calls the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKey>,

    /// What becomes of the brain and its keys when this object is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// Overrides of the class's storage.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageOverride {
    /// Size of the volume. It can grow, up to the class's maximum, and never shrink: less than it has is left unheeded.
    #[schemars(length(max = 16), regex(pattern = rules::SIZE))]
    #[x_kube(validation = rules::size("size"))]
    pub size: String,
}

/// What becomes of the durable children when a `UserEngine` is deleted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum DeletionPolicy {
    /// Brain and keys stay; an engine of the same name and user takes them up again.
    #[default]
    Retain,
    /// Keys and brain are deleted. A key that a backup holds stays, and is nobody's.
    Delete,
    /// The keys are destroyed first, whoever holds them, and then the brain: nothing of it can ever be read again.
    Erase,
}
