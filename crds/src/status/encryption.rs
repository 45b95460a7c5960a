//! What the status says of the brain's keys, and of the rotation that changes them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most keys that a status has.
pub const KEYS_MAX: usize = 64;

/// The brain's keys.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionInfo {
    /// The id of the key that new values are sealed with.
    pub active_key: String,
    /// Every key that the brain may need; of more than 64 those in the ring, and the newest of the others.
    #[serde(default)]
    #[schemars(length(max = KEYS_MAX))]
    pub keys: Vec<KeyInfo>,
    /// The rotation that runs, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationInfo>,
}

/// One key.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInfo {
    /// The key's id.
    pub id: String,
    /// What it is good for: `active` (new values are sealed with it), `staged` (in the ring, to become active), `withheld`
    /// (in no ring, kept for a while), `compromised` (the same, without the while) or `destroying`.
    pub state: String,
    /// When its Secret was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
}

/// One rotation.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationInfo {
    /// The id of the request.
    pub id: String,
    /// How far it is (Minting, Quiescing, Checking, Migrating, Verifying, Retrying, Resuming), or how it ended (Certified,
    /// Rejected, Refused, Failed).
    pub phase: String,
    /// When it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// Sealed values in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Those that this phase has dealt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<i64>,
    /// What it does, or why it ended as it did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The image that verified, as its node resolved it (`imageID` of the container): with an image from a registry its
    /// digest, which the certificate, written by the program itself, cannot know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "imageID")]
    pub image_id: Option<String>,
    /// The proof that every sealed value opened with the new key alone, as `engine certificate verify` reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub certificate: Option<Value>,
}

/// The certificate's own form is the engine's; what is not understood here must not be lost.
fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}
