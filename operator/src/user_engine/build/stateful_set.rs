//! The engine's pod, through a StatefulSet of no or one replica: at most one pod of that name exists at a time.

use kube::api::DynamicObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use userengine_api::hex::hex;
use userengine_api::labels;
use userengine_api::layout::{API_PORT, INTERNAL_PORT};

use super::pod::{self, extend, frame};
use super::{Blueprint, environment, pod_selector, volumes};
use crate::user_engine::child::{Child, ChildKind};

/// Name of the engine's container.
pub const CONTAINER: &str = "engine";

/// Parallel, or a pod that never becomes Ready blocks its own repair
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback>).
pub fn build(blueprint: &Blueprint<'_>) -> Child {
    let body = json!({
        "spec": {
            "replicas": i32::from(blueprint.stopped_for.is_none()),
            "serviceName": blueprint.names().headless(),
            "podManagementPolicy": "Parallel",
            "revisionHistoryLimit": 1,
            "selector": { "matchLabels": pod_selector(blueprint.name) },
            "template": { "metadata": template(blueprint), "spec": pod(blueprint) },
        }
    });
    child(blueprint, body)
}

/// The one that is there with other replicas and another ring, which is all that a rotation changes of it; `None` if it has
/// them.
pub fn turned(blueprint: &Blueprint<'_>, live: &DynamicObject) -> Option<Child> {
    let before = live.data.get("spec")?;
    let mut spec = before.clone();
    *spec.get_mut("replicas")? = i32::from(blueprint.stopped_for.is_none()).into();
    volumes::put_ring(&mut spec, blueprint);
    let was = live.metadata.annotations.as_ref();
    let was = was
        .and_then(|all| all.get(labels::STOPPED_FOR))
        .map(String::as_str);
    let is_so = spec == *before && was == blueprint.stopped_for;
    (!is_so).then(|| child(blueprint, json!({ "spec": spec })))
}

/// Whoever looks at one without a replica can see why; and a rotation that is over, that it has an engine to bring back.
fn child(blueprint: &Blueprint<'_>, body: Value) -> Child {
    let (kind, name) = (ChildKind::StatefulSet, blueprint.names().main());
    let mut child = blueprint.child(kind, name, "apps/v1", body);
    if let Some(why) = blueprint.stopped_for
        && let Some(annotations) = child.object.pointer_mut("/metadata/annotations")
    {
        extend(annotations, json!({ labels::STOPPED_FOR: why }));
    }
    child
}

/// The engine reads certificate authorities once, at start: others make another pod.
fn template(blueprint: &Blueprint<'_>) -> Value {
    let mut metadata = json!({ "labels": pod::labels(blueprint, pod_selector(blueprint.name)) });
    if let Some(ca) = blueprint.ca() {
        let hash = hex(Sha256::digest(ca).iter().take(8));
        extend(
            &mut metadata,
            json!({ "annotations": { labels::CA: hash } }),
        );
    }
    metadata
}

fn pod(blueprint: &Blueprint<'_>) -> Value {
    let mut pod = frame(blueprint);
    let containers =
        json!({ "containers": [container(blueprint)], "volumes": volumes::build(blueprint) });
    extend(&mut pod, containers);
    pod
}

fn container(blueprint: &Blueprint<'_>) -> Value {
    let mut container = pod::container(blueprint, CONTAINER, "serve");
    extend(
        &mut container,
        json!({
            "env": environment::build(blueprint),
            "ports": [
                { "name": "api", "containerPort": API_PORT, "protocol": "TCP" },
                { "name": "internal", "containerPort": INTERNAL_PORT, "protocol": "TCP" },
            ],
            "startupProbe": probe("/readyz", 1, 120),
            "readinessProbe": probe("/readyz", 5, 2),
            "livenessProbe": probe("/livez", 10, 6),
            "volumeMounts": volumes::mounts(blueprint),
        }),
    );
    container
}

fn probe(path: &str, period: i32, failures: i32) -> Value {
    json!({
        "httpGet": { "path": path, "port": "internal", "scheme": "HTTP" },
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 2,
    })
}
