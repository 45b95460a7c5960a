//! The engine's pod, through a StatefulSet of no or one replica: at most one pod of that name exists at a time.

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use userengine_api::engine_class::TopologySpreadConstraint;
use userengine_api::hex::hex;
use userengine_api::layout::{API_PORT, INTERNAL_PORT};
use userengine_api::{UserEngineSpec, labels};

use super::pod::{self, extend, frame};
use super::{Blueprint, common_labels, environment, pod_selector, volumes};
use crate::user_engine::child::{Child, ChildId, ChildKind};

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
    child(blueprint, body, Some(&asked(blueprint.engine)))
}

/// A hash of what the engine itself asks for its pod: what else changes its pod is the class's doing.
fn asked(engine: &UserEngineSpec) -> String {
    let wishes = json!([
        engine.class_name,
        engine.image,
        engine.resources,
        engine.env,
        engine.env_from
    ]);
    hex(Sha256::digest(wishes.to_string()).iter().take(8))
}

/// The one that is there with other replicas and another ring, which is all that a rotation changes of it; `None` if it has
/// them.
pub fn turned(blueprint: &Blueprint<'_>, live: &DynamicObject) -> Option<Child> {
    let before = live.data.get("spec")?;
    let mut spec = before.clone();
    *spec.get_mut("replicas")? = i32::from(blueprint.stopped_for.is_none()).into();
    volumes::put_ring(&mut spec, blueprint);
    let note = |name: &str| live.annotations().get(name).map(String::as_str);
    let is_so = spec == *before
        && note(labels::STOPPED_FOR) == blueprint.stopped_for
        && note(labels::BOUNDS) == bounds(blueprint);
    (!is_so).then(|| child(blueprint, json!({ "spec": spec }), note(labels::ASKED)))
}

/// Whoever looks at one without a replica can see why; and a rotation that is over, that it has an engine to bring back.
fn child(blueprint: &Blueprint<'_>, body: Value, asked: Option<&str>) -> Child {
    let (kind, name) = (ChildKind::StatefulSet, blueprint.names().main());
    let mut child = blueprint.child(kind, name, "apps/v1", body);
    if let Some(annotations) = child.object.pointer_mut("/metadata/annotations") {
        let notes = [
            (labels::STOPPED_FOR, blueprint.stopped_for),
            (labels::BOUNDS, bounds(blueprint)),
            (labels::ASKED, asked),
        ];
        for (name, note) in notes {
            if let Some(note) = note {
                extend(annotations, json!({ name: note }));
            }
        }
    }
    child
}

/// A change of it wakes the StatefulSet's controller, which otherwise waits for minutes before it tries again to make a pod
/// that was refused. It stays afterwards, with the time of a try under the same bounds: taking it off would be a write for nothing.
fn bounds<'a>(blueprint: &Blueprint<'a>) -> Option<&'a str> {
    let live = blueprint.live;
    let main = ChildId {
        kind: ChildKind::StatefulSet,
        name: blueprint.names().main(),
    };
    let before = || Some(live.get(&main)?.annotations().get(labels::BOUNDS)?.as_str());
    let Some(now) = blueprint.bounds else {
        return before();
    };
    Some(
        before()
            .filter(|before| before.starts_with(now))
            .unwrap_or(now),
    )
}

/// The one that is there, without its pod: for an engine of which nothing else may be changed. `None` if it has none.
pub fn suspended(live: &DynamicObject) -> Option<Child> {
    let mut spec = live.data.get("spec")?.clone();
    let replicas = spec.get_mut("replicas").filter(|it| **it != json!(0))?;
    *replicas = json!(0);
    let mut annotations = json!(live.annotations());
    extend(
        &mut annotations,
        json!({ labels::STOPPED_FOR: labels::FOR_SPEC }),
    );
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": ChildKind::StatefulSet.as_str(),
        "metadata": {
            "name": live.name_any(),
            "namespace": live.namespace(),
            "ownerReferences": live.owner_references(),
            "labels": common_labels(&live.name_any()),
            "annotations": annotations,
        },
        "spec": spec,
    });
    let (kind, name) = (ChildKind::StatefulSet, live.name_any());
    let id = ChildId { kind, name };
    Some(Child { id, object })
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
    let spread = &blueprint.class.topology_spread_constraints;
    if !spread.is_empty() {
        let spread: Vec<_> = spread.iter().map(spread_constraint).collect();
        extend(&mut pod, json!({ "topologySpreadConstraints": spread }));
    }
    pod
}

/// Counts the engines of the namespace. Not for the pods of Jobs: they go where the volume is, and are soon gone.
fn spread_constraint(constraint: &TopologySpreadConstraint) -> Value {
    let engines = json!({ labels::NAME: labels::NAME_VALUE, labels::COMPONENT: "engine" });
    let mut constraint = json!(constraint);
    extend(
        &mut constraint,
        json!({ "labelSelector": { "matchLabels": engines } }),
    );
    constraint
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
            // Longer than an engine waits for what it was refused for to be mended.
            "startupProbe": probe("/readyz", 1, 720),
            "readinessProbe": probe("/readyz", 5, 2),
            "livenessProbe": probe("/livez", 10, 6),
            "volumeMounts": volumes::mounts(blueprint),
        }),
    );
    // Each with a prefix, by which the schema sees that none sets what the engine is told above.
    let sources = &blueprint.engine.env_from;
    if !sources.is_empty() {
        extend(&mut container, json!({ "envFrom": sources }));
    }
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
