//! The engine's pod, through a StatefulSet of no or one replica: at most one pod of that name exists at a time.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use userengine_api::engine_class::Amounts;
use userengine_api::hex::hex;
use userengine_api::labels;
use userengine_api::layout::{API_PORT, INTERNAL_PORT};
use userengine_api::quantity::Quantity;

use super::{Blueprint, common_labels, environment, pod_selector, volumes};
use crate::user_engine::child::{Child, ChildKind};

/// Name of the engine's container.
pub const CONTAINER: &str = "engine";
/// User and group of the process.
const NON_ROOT: i64 = 65532;

/// Parallel, or a pod that never becomes Ready blocks its own repair
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback>).
pub fn build(blueprint: &Blueprint<'_>) -> Child {
    let body = json!({
        "spec": {
            "replicas": i32::from(!blueprint.suspended),
            "serviceName": blueprint.names().headless(),
            "podManagementPolicy": "Parallel",
            "revisionHistoryLimit": 1,
            "selector": { "matchLabels": pod_selector(blueprint.name) },
            "template": { "metadata": template(blueprint), "spec": pod(blueprint) },
        }
    });
    blueprint.child(
        ChildKind::StatefulSet,
        blueprint.names().main(),
        "apps/v1",
        body,
    )
}

/// The engine reads certificate authorities once, at start: others make another pod.
fn template(blueprint: &Blueprint<'_>) -> Value {
    let mut metadata = json!({ "labels": pod_labels(blueprint) });
    if let (Some(ca), Value::Object(metadata)) = (blueprint.ca(), &mut metadata) {
        let hash = hex(Sha256::digest(ca).iter().take(8));
        metadata.insert("annotations".to_owned(), json!({ labels::CA: hash }));
    }
    metadata
}

fn pod_labels(blueprint: &Blueprint<'_>) -> Value {
    let mut labels = common_labels(blueprint.name);
    if let (Value::Object(all), Value::Object(selector)) =
        (&mut labels, pod_selector(blueprint.name))
    {
        all.extend(selector);
    }
    labels
}

fn pod(blueprint: &Blueprint<'_>) -> Value {
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
        "containers": [container(blueprint)],
        "volumes": volumes::build(blueprint),
    });
    if let (false, Value::Object(pod)) = (class.image_pull_secrets.is_empty(), &mut pod) {
        let names: Vec<_> = class
            .image_pull_secrets
            .iter()
            .map(|name| json!({ "name": name }))
            .collect();
        pod.insert("imagePullSecrets".to_owned(), json!(names));
    }
    pod
}

fn container(blueprint: &Blueprint<'_>) -> Value {
    let class = blueprint.class;
    json!({
        "name": CONTAINER,
        "image": class.image,
        "imagePullPolicy": class.image_pull_policy.as_str(),
        "args": ["serve"],
        "env": environment::build(blueprint),
        "ports": [
            { "name": "api", "containerPort": API_PORT, "protocol": "TCP" },
            { "name": "internal", "containerPort": INTERNAL_PORT, "protocol": "TCP" },
        ],
        "resources": { "requests": amounts(&class.resources.requests), "limits": amounts(&class.resources.limits) },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        "startupProbe": probe("/readyz", 1, 120),
        "readinessProbe": probe("/readyz", 5, 2),
        "livenessProbe": probe("/livez", 10, 6),
        "volumeMounts": volumes::mounts(blueprint),
    })
}

fn probe(path: &str, period: i32, failures: i32) -> Value {
    json!({
        "httpGet": { "path": path, "port": "internal", "scheme": "HTTP" },
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 2,
    })
}

/// In the form in which the API server stores them, or a comparison would always find a difference.
fn amounts(amounts: &Amounts) -> Value {
    let canonical = |text: &str| {
        text.parse::<Quantity>()
            .map_or_else(|_| text.to_owned(), |quantity| quantity.to_string())
    };
    json!({ "cpu": canonical(&amounts.cpu), "memory": canonical(&amounts.memory) })
}
