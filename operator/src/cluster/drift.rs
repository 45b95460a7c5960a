//! Whether an object is as we want it.
//!
//! Three things tell. The stamp, a hash of what we wrote last, finds what we want no longer. Comparing
//! fields finds what somebody changed. The server's record of who set which field
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>) finds what
//! somebody added, without our knowing the server's defaults.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use userengine_api::hex::hex;
use userengine_api::labels::MANAGER;

/// The annotation with the stamp.
pub const STAMP: &str = "userengine.dev/applied";

/// Puts the hash of `object` into its annotations.
pub fn stamp(object: &mut Value) {
    let hash = Sha256::digest(object.to_string());
    let hash = hex(hash.iter().take(8));
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.insert("annotations".to_owned(), json!({ STAMP: hash }));
    }
}

/// The object differs from what we want in a way that is ours to put right.
pub fn drifted(live: &DynamicObject, wanted: &Value) -> bool {
    let fields = serde_json::to_value(live).unwrap_or_default();
    !covers(&fields, wanted) || added_to(&live.metadata)
}

/// Somebody else set a field outside metadata and status.
fn added_to(metadata: &ObjectMeta) -> bool {
    let entries = metadata.managed_fields.iter().flatten();
    let others = entries.filter(|entry| {
        entry.manager.as_deref() != Some(MANAGER)
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    });
    others
        .filter_map(|entry| entry.fields_v1.as_ref()?.0.as_object())
        .flatten()
        .any(|(name, fields)| !is_harmless(name, fields))
}

/// Metadata is everybody's, status the controllers', what some clusters write into every ServiceAccount the
/// cluster's, and `kubectl rollout restart` is somebody's wish.
fn is_harmless(name: &str, fields: &Value) -> bool {
    let annotations_only = || {
        let path = ["f:template", "f:metadata", "f:annotations"];
        let inner = path.iter().try_fold(fields, |fields, step| {
            fields.as_object().filter(|all| all.len() == 1)?.get(*step)
        });
        inner.is_some()
    };
    matches!(
        name,
        "f:metadata" | "f:status" | "f:secrets" | "f:imagePullSecrets"
    ) || name == "f:spec" && annotations_only()
}

/// Every field of `wanted` is in `live` with that value. Empty objects and lists count as absent,
/// which is how the API server stores them.
pub fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(name, value)| {
            live.get(name)
                .map_or_else(|| is_empty(value), |live| covers(live, value))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live
                    .iter()
                    .zip(wanted)
                    .all(|(live, wanted)| covers(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_what_others_added() {
        assert!(covers(&json!({"a": 1, "theirs": 2}), &json!({"a": 1})));
        assert!(covers(&json!({}), &json!({"selector": {}, "ports": []})));
    }

    #[test]
    fn sees_what_others_changed_removed_or_put_into_a_list() {
        for live in [
            json!({"a": [1, 3]}),
            json!({}),
            json!({"a": [1]}),
            json!({"a": [1, 2, 3]}),
            json!({"a": null}),
        ] {
            assert!(!covers(&live, &json!({"a": [1, 2]})), "{live}");
        }
    }

    fn set_by(manager: &str, subresource: &str, fields: &Value) -> bool {
        let metadata = json!({ "managedFields": [{
            "manager": manager, "operation": "Update", "subresource": subresource, "fieldsV1": fields,
        }] });
        added_to(&serde_json::from_value(metadata).unwrap())
    }

    #[test]
    fn sees_what_others_added_wherever_it_matters() {
        let network = json!({ "f:spec": { "f:template": { "f:spec": { "f:hostNetwork": {} } } } });
        assert!(set_by("kubectl-edit", "", &network));
        assert!(set_by(
            "kubectl-edit",
            "",
            &json!({ "f:data": { "f:brain": {} } })
        ));
        assert!(!set_by(MANAGER, "", &network));
        assert!(!set_by(
            "kube-controller-manager",
            "status",
            &json!({ "f:status": {} })
        ));
        assert!(!set_by(
            "someone",
            "",
            &json!({ "f:metadata": { "f:labels": {} } })
        ));
        let restart = json!({ "f:spec": { "f:template": { "f:metadata": { "f:annotations": { "f:kubectl.kubernetes.io/restartedAt": {} } } } } });
        assert!(!set_by("kubectl-rollout", "", &restart));
    }

    #[test]
    fn the_stamp_changes_with_the_content_only() {
        let stamped = |content: u8| {
            let mut object = json!({"metadata": {"name": "x"}, "data": content});
            stamp(&mut object);
            object["metadata"]["annotations"][STAMP].clone()
        };
        assert_eq!(stamped(1), stamped(1));
        assert_ne!(stamped(1), stamped(2));
    }
}
