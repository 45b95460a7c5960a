//! What the pods of an engine have in common: the engine's own, and that of a rotation's Job.

use serde_json::{Map, Value, json};
use userengine_api::engine_class::{Amounts, EngineClassSpec};
use userengine_api::quantity::Quantity;

use super::{Blueprint, common_labels};

/// User and group of the process.
const NON_ROOT: i64 = 65532;

/// The spec of a pod without containers and volumes, under the Pod Security Standard "restricted".
pub fn frame(blueprint: &Blueprint<'_>) -> Value {
    let class = blueprint.class;
    let mut pod = json!({
        "serviceAccountName": blueprint.names().main(),
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": class.termination_grace_period_seconds,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": NON_ROOT,
            "runAsGroup": NON_ROOT,
            "fsGroup": NON_ROOT,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    if !class.image_pull_secrets.is_empty() {
        let names = class.image_pull_secrets.iter();
        let names: Vec<_> = names.map(|name| json!({ "name": name })).collect();
        extend(&mut pod, json!({ "imagePullSecrets": names }));
    }
    extend(&mut pod, scheduling(class));
    pod
}

/// Where the pod may run. What the class leaves out is left out: the API server fills in what the cluster has.
fn scheduling(class: &EngineClassSpec) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if let Some(name) = &class.runtime_class_name {
        put("runtimeClassName", json!(name));
    }
    if let Some(name) = &class.priority_class_name {
        put("priorityClassName", json!(name));
    }
    if !class.node_selector.is_empty() {
        put("nodeSelector", json!(class.node_selector));
    }
    if !class.tolerations.is_empty() {
        put("tolerations", json!(class.tolerations));
    }
    Value::Object(fields)
}

/// A container that runs one command of the engine's image.
pub fn container(blueprint: &Blueprint<'_>, name: &str, command: &str) -> Value {
    let class = blueprint.class;
    json!({
        "name": name,
        "image": class.image,
        "imagePullPolicy": class.image_pull_policy.as_str(),
        "args": [command],
        "resources": { "requests": amounts(&class.resources.requests), "limits": amounts(&class.resources.limits) },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
    })
}

/// The labels of a pod that this selector finds.
pub fn labels(blueprint: &Blueprint<'_>, selector: Value) -> Value {
    let mut labels = common_labels(blueprint.name);
    extend(&mut labels, selector);
    labels
}

/// Adds fields to an object.
pub fn extend(object: &mut Value, fields: Value) {
    if let (Value::Object(object), Value::Object(fields)) = (object, fields) {
        object.extend(fields);
    }
}

/// In the form in which the API server stores them, or a comparison would always find a difference.
fn amounts(amounts: &Amounts) -> Value {
    let canonical = |text: &str| {
        text.parse::<Quantity>()
            .map_or_else(|_| text.to_owned(), |quantity| quantity.to_string())
    };
    json!({ "cpu": canonical(&amounts.cpu), "memory": canonical(&amounts.memory) })
}
