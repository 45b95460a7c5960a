//! What may be asked of a brain's key.

use kube::KubeSchema;
use kube::core::cel::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// The brain's key.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// One request for another key. It is carried out once: a new request has a new id. One that comes while another
    /// runs waits, and of several that wait the latest counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,

    /// The age at which the key is changed without being asked, such as `2160h`; in place of the class's `keys.maxAge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), regex(pattern = rules::DURATION))]
    #[x_kube(validation = rules::duration("maxAge"), validation = rules::at_least_an_hour("maxAge"))]
    pub max_age: Option<String>,
}

/// One request for another key.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// Its name, which status and Events repeat. An id counts once in the life of a brain, however it ended.
    #[schemars(length(min = 1, max = 63), regex(pattern = rules::ROTATION_ID))]
    #[x_kube(
        validation = rules::matches(rules::ROTATION_ID, "id: letters, digits, '-', '_' and '.'"),
        validation = Rule::new("self != 'initial' && !self.startsWith('age-')")
            .message("id: 'initial' and whatever starts with 'age-' are the operator's own: choose another")
    )]
    pub id: String,

    /// Why the key is changed.
    #[serde(default)]
    pub mode: RotationMode,

    /// The id of a key that the brain had before, to go back to; it must not be destroyed yet. Omitted: a new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = rules::KID))]
    #[x_kube(validation = rules::matches(rules::KID, "rollbackTo: the id of a key, 16 digits of 0-9 and a-f, as status.encryption.keys lists them"))]
    pub rollback_to: Option<String>,

    /// Rows that no key opens and that somebody decided to give up, as `<table>/<row id>`: they are kept aside, sealed as
    /// they are, and hold nothing up any more. `engine check` lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 160), regex(pattern = rules::ROW)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::all_match(rules::ROW, "setAside: each entry is <table>/<row id>, as `engine check` lists them"))]
    pub set_aside: Vec<String>,
}

/// Why a key is changed.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum RotationMode {
    /// As a precaution: the old key is kept for a while, and every credential stays as it is.
    #[default]
    Normal,
    /// Somebody may have the old key: it is destroyed without the wait, and every connection needs fresh consent.
    Compromised,
}

/// What the platform decides about keys.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyPolicy {
    /// The age at which an engine's key is changed without being asked, such as `2160h`. Omitted: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), regex(pattern = rules::DURATION))]
    #[x_kube(validation = rules::duration("maxAge"), validation = rules::at_least_an_hour("maxAge"))]
    pub max_age: Option<String>,

    /// How long a key is kept that nothing is sealed with any more: until then a rotation can be taken back.
    #[serde(default = "default_retention")]
    #[schemars(length(max = 8), regex(pattern = rules::DURATION))]
    #[x_kube(validation = rules::duration("retainRetired"))]
    pub retain_retired: String,
}

fn default_retention() -> String {
    "168h".to_owned()
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            max_age: None,
            retain_retired: default_retention(),
        }
    }
}

/// A request that changes under its id would be one thing to whom it was shown and another to whom it is carried out. A
/// rule of the whole spec: a rule beside the field would not be asked when the field comes and goes.
pub fn one_request() -> Rule {
    let has = |of: &str| format!("has({of}.encryption) && has({of}.encryption.rotation)");
    let (new, old) = ("self.encryption.rotation", "oldSelf.encryption.rotation");
    let rule = format!(
        "!({} && {}) || {new}.id != {old}.id || {new} == {old}",
        has("self"),
        has("oldSelf")
    );
    Rule::new(rule).message(
        "encryption.rotation: a request cannot change under its id; give the new one an id of its own",
    )
}
