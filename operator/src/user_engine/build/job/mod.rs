//! The Job of one attempt of a rotation: first `migrate`, which has every key of the ring, then `verify`, which has the new
//! key alone.

use serde_json::{Value, json};
use userengine_api::labels;
use userengine_api::layout::{
    BRAIN_FILE, DATA_DIR, INTERNAL_PORT, KEYRING_DIR, TERMINATION_LOG, env,
};
use userengine_api::names::{Names, key_suffix};
use userengine_rotation::ledger::{Key, Open};
use userengine_rotation::request::{Mode, RowName};

use super::pod::{container, extend, frame, labels};
use super::{Blueprint, owner, volumes};
use crate::record::Record;

/// The init container that seals every value with the new key.
pub const MIGRATE: &str = "migrate";
/// The container that opens every value with the new key alone.
pub const VERIFY: &str = "verify";

/// Seconds after which the Job ends although nobody looks after it. The operator's own deadlines are far shorter, and
/// move with its progress.
const BACKSTOP_SECONDS: i64 = 6 * 3600;
/// Seconds that a Job that has ended may be found: as long as an operator may be away and still read how it ended.
const FOUND_SECONDS: i64 = 7 * 24 * 3600;
/// Exit codes of refusals that another try of the same pod would meet again: settings, keys, brain, rotation.
const REFUSALS: [i32; 4] = [64, 65, 66, 67];

const BRAIN: &str = "brain";
const RING: &str = "keyring";
const NEW_KEY: &str = "new-key";

/// Name of the Job of the attempt that an open rotation is at.
pub fn job_name(engine: &str, record: &Record, open: &Open) -> String {
    let suffix = key_suffix(&record.database_id, open.id.as_str());
    Names(engine).job(&suffix, open.attempt)
}

/// The labels that find the pods of rotations; neither StatefulSet nor Service knows them.
pub fn selector(engine: &str) -> Value {
    json!({ labels::ENGINE: engine, labels::COMPONENT: labels::ROTATION_COMPONENT })
}

/// The Job. `None` if no rotation is open whose key is recorded.
pub fn build(blueprint: &Blueprint<'_>) -> Option<Value> {
    let ledger = &blueprint.record.ledger;
    let (open, target) = (ledger.open.as_ref()?, ledger.target()?);
    let labels = labels(blueprint, selector(blueprint.name));
    let name = job_name(blueprint.name, blueprint.record, open);
    let mut job = frame_of_job(blueprint, &name, &labels, &pod(blueprint, open, target));
    if let Some(Value::Object(metadata)) = job.get_mut("metadata") {
        let id = json!({ labels::ROTATION: open.id });
        metadata.insert("annotations".to_owned(), id);
    }
    Some(job)
}

/// The Job that opens everything with the active key alone, and writes down that it did. `None` without such a key.
pub fn proof(blueprint: &Blueprint<'_>) -> Option<Value> {
    let active = blueprint.record.ledger.active()?;
    let mut labels = labels(blueprint, selector(blueprint.name));
    extend(&mut labels, json!({ labels::PROOF: "true" }));
    let claim = json!({ "claimName": blueprint.names().claim() });
    let mut pod = frame(blueprint);
    let steps = json!({
        "restartPolicy": "Never",
        "containers": [step(blueprint, &brain(blueprint), VERIFY, NEW_KEY)],
        "volumes": [
            { "name": BRAIN, "persistentVolumeClaim": claim },
            { "name": NEW_KEY, "projected": volumes::ring(blueprint.name, &[active]) },
        ],
    });
    extend(&mut pod, steps);
    let name = proof_name(blueprint.name, blueprint.record);
    Some(frame_of_job(blueprint, &name, &labels, &pod))
}

/// Name of that Job: another one after each rotation.
pub fn proof_name(engine: &str, record: &Record) -> String {
    let last = record.ledger.last.as_ref();
    let occasion = last.map_or_else(String::new, |last| format!("{}/{}", last.id, last.ended));
    Names(engine).proof(&key_suffix(&record.database_id, &occasion))
}

/// One pod at a time, and no second one by itself: whether there is another attempt is the transition table's to say
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-replacement-policy>).
fn frame_of_job(blueprint: &Blueprint<'_>, name: &str, labels: &Value, pod: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": blueprint.namespace,
            "labels": labels,
            "ownerReferences": [owner(blueprint.name, blueprint.uid)],
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": { "rules": [
                { "action": "FailJob", "onExitCodes": { "operator": "In", "values": REFUSALS } },
            ] },
            "activeDeadlineSeconds": BACKSTOP_SECONDS,
            "ttlSecondsAfterFinished": FOUND_SECONDS,
            "template": { "metadata": { "labels": labels }, "spec": pod },
        },
    })
}

fn pod(blueprint: &Blueprint<'_>, open: &Open, target: &Key) -> Value {
    let ring: Vec<_> = blueprint.record.ledger.ring().collect();
    let claim = json!({ "claimName": blueprint.names().claim() });
    let told = rotation(blueprint, open, target);
    let mut pod = frame(blueprint);
    extend(
        &mut pod,
        json!({
            "restartPolicy": "Never",
            "initContainers": [step(blueprint, &told, MIGRATE, RING)],
            "containers": [step(blueprint, &told, VERIFY, NEW_KEY)],
            "volumes": [
                { "name": BRAIN, "persistentVolumeClaim": claim },
                { "name": RING, "projected": volumes::ring(blueprint.name, &ring) },
                { "name": NEW_KEY, "projected": volumes::ring(blueprint.name, &[target]) },
            ],
        }),
    );
    if let Some(node) = blueprint.last_node {
        // Preferred: where the volume is attached and the image is there. Another node does as well.
        let here = json!([{ "key": "metadata.name", "operator": "In", "values": [node] }]);
        let term = json!({ "weight": 100, "preference": { "matchFields": here } });
        let affinity = json!({ "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [term] } });
        extend(&mut pod, json!({ "affinity": affinity }));
    }
    pod
}

/// What a step is told.
type Variables = Vec<(&'static str, String)>;

fn step(blueprint: &Blueprint<'_>, told: &Variables, command: &str, keys: &str) -> Value {
    let told = told.iter();
    let told: Vec<_> = told
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let mut step = container(blueprint, command, command);
    extend(
        &mut step,
        json!({
            "env": told,
            "terminationMessagePath": TERMINATION_LOG,
            "terminationMessagePolicy": "File",
            "volumeMounts": [
                { "name": BRAIN, "mountPath": DATA_DIR },
                { "name": keys, "mountPath": KEYRING_DIR, "readOnly": true },
            ],
        }),
    );
    step
}

fn brain(blueprint: &Blueprint<'_>) -> Variables {
    let level = blueprint.class.log_level.as_str();
    vec![
        (env::SQLITE_DB_PATH, BRAIN_FILE.to_owned()),
        (env::KEYRING_DIR, KEYRING_DIR.to_owned()),
        (env::DATABASE_ID, blueprint.record.database_id.clone()),
        (env::INTERNAL_ADDR, format!("0.0.0.0:{INTERNAL_PORT}")),
        (env::ENGINE_LOG_LEVEL, level.to_owned()),
    ]
}

fn rotation(blueprint: &Blueprint<'_>, open: &Open, target: &Key) -> Variables {
    let from = blueprint.record.ledger.from();
    let from: Vec<_> = from.iter().map(ToString::to_string).collect();
    let rows: Vec<_> = open.set_aside.iter().map(RowName::to_string).collect();
    let mode = match open.mode {
        Mode::Normal => "Normal",
        Mode::Compromised => "Compromised",
    };
    let mut all = brain(blueprint);
    all.extend([
        (env::ROTATION_ID, open.id.to_string()),
        (env::ROTATION_FROM, from.join(",")),
        (env::ROTATION_TO, target.kid.to_string()),
        (env::ROTATION_OPENED, open.started.to_string()),
        (env::ROTATION_MODE, mode.to_owned()),
        (env::ENGINE_IMAGE, blueprint.class.image.clone()),
    ]);
    if !rows.is_empty() {
        all.push((env::ROTATION_SET_ASIDE, rows.join(",")));
    }
    all
}

#[cfg(test)]
mod tests;
