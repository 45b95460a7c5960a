//! The engine's pod, through a StatefulSet of no or one replica: at most one pod of that name exists at a time.

use serde_json::{Value, json};
use userengine_api::engine_class::Amounts;
use userengine_api::layout::{
    API_KEY_HASH_FILE, API_PORT, BRAIN_FILE, DATA_DIR, INTERNAL_PORT, KEYRING_DIR, config_map, env,
    secret,
};
use userengine_api::quantity::Quantity;

use super::{Blueprint, common_labels, pod_selector};
use crate::user_engine::child::{Child, ChildKind};

/// Name of the engine's container.
pub const CONTAINER: &str = "engine";
/// User and group of the process.
const NON_ROOT: i64 = 65532;
/// Seconds of the grace period that are the kubelet's and the kernel's, not the engine's.
const STOP_MARGIN: i64 = 3;

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
            "template": { "metadata": { "labels": pod_labels(blueprint) }, "spec": pod(blueprint) },
        }
    });
    blueprint.child(
        ChildKind::StatefulSet,
        blueprint.names().main(),
        "apps/v1",
        body,
    )
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
        "volumes": volumes(blueprint),
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
        "env": environment(blueprint),
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
        "volumeMounts": [
            { "name": "brain", "mountPath": DATA_DIR },
            { "name": "keyring", "mountPath": KEYRING_DIR, "readOnly": true },
            { "name": "api-key", "mountPath": parent(API_KEY_HASH_FILE), "readOnly": true },
        ],
    })
}

fn environment(blueprint: &Blueprint<'_>) -> Value {
    let class = blueprint.class;
    let grace = (class.termination_grace_period_seconds - STOP_MARGIN).max(1);
    let mut variables = vec![
        json!({ "name": env::SQLITE_DB_PATH, "value": BRAIN_FILE }),
        json!({ "name": env::KEYRING_DIR, "value": KEYRING_DIR }),
        json!({ "name": env::ENGINE_KEY_HASH_FILE, "value": API_KEY_HASH_FILE }),
        json!({ "name": env::DATABASE_ID, "value": blueprint.record.database_id }),
        json!({
            "name": env::BRAIN_MODE,
            "valueFrom": { "configMapKeyRef": { "name": blueprint.names().main(), "key": config_map::BRAIN } },
        }),
        json!({ "name": env::LISTEN_ADDR, "value": format!("0.0.0.0:{API_PORT}") }),
        json!({ "name": env::INTERNAL_ADDR, "value": format!("0.0.0.0:{INTERNAL_PORT}") }),
        json!({ "name": env::ENGINE_LOG_LEVEL, "value": class.log_level.as_str() }),
        json!({ "name": env::SHUTDOWN_GRACE_SECONDS, "value": grace.to_string() }),
    ];
    variables.extend(
        blueprint
            .public_url()
            .map(|url| json!({ "name": env::PUBLIC_URL, "value": url })),
    );
    Value::Array(variables)
}

fn volumes(blueprint: &Blueprint<'_>) -> Value {
    let names = blueprint.names();
    let ring: Vec<_> = blueprint
        .record
        .keys
        .iter()
        .map(|key| json!({ "secret": { "name": names.key(&key.suffix), "items": [{ "key": secret::KEY, "path": key.kid }] } }))
        .collect();
    let (_, hashes) = API_KEY_HASH_FILE.rsplit_once('/').unwrap_or_default();
    json!([
        { "name": "brain", "persistentVolumeClaim": { "claimName": names.claim() } },
        { "name": "keyring", "projected": { "defaultMode": 0o440, "sources": ring } },
        { "name": "api-key", "secret": {
            "secretName": names.api_key(),
            "defaultMode": 0o440,
            "items": [{ "key": secret::API_KEY_HASHES, "path": hashes }],
        } },
    ])
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(folder, _)| folder)
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
