//! The Jobs of rotations, and the walls around them.

use userengine_rotation::ledger::{KeyState, Phase};

use super::*;
use crate::user_engine::build;
use crate::user_engine::child::ChildKind;
use crate::user_engine::fixtures::{UID, World, key, record, world};

/// The record of a brain whose rotation runs.
fn rotating() -> Record {
    let mut record = record();
    let suffix = key_suffix(UID, "r-1");
    let open = json!({
        "id": "r-1", "mode": "Compromised", "suffix": suffix, "setAside": ["connections/conn-1"],
        "phase": "Running", "attempt": 2, "started": 0, "since": 0,
    });
    record.ledger.keys.push(Key {
        kid: key(2).kid(),
        state: KeyState::Staged,
        suffix,
    });
    record.ledger.open = Some(serde_json::from_value(open).unwrap());
    record
}

fn seen() -> World {
    let pull = json!({ "imagePullSecrets": ["registry"] });
    world().claimed().with_key().class(&pull).engine(|engine| {
        let status = engine.status.get_or_insert_default();
        status.node = Some("node-1".to_owned());
    })
}

fn job(record: &Record) -> Option<Value> {
    let seen = seen();
    build::job(&seen.0, record, &seen.assess().resolved.unwrap())
}

#[test]
fn the_first_step_has_the_whole_ring_and_the_second_the_new_key_alone() {
    insta::assert_yaml_snapshot!("job", job(&rotating()));
}

#[test]
fn nothing_reaches_it_but_the_operator_and_it_reaches_nothing() {
    let seen = seen();
    let class = seen.assess().resolved.unwrap();
    let mut children = build::children(&seen.0, &rotating(), &class).into_iter();
    let walls = children.find(|child| child.id.name == "alice-rotation");
    insta::assert_yaml_snapshot!("network_policy_rotation", walls.unwrap().object);
}

#[test]
fn its_pods_are_found_by_neither_statefulset_nor_service() {
    let seen = seen();
    let class = seen.assess().resolved.unwrap();
    let job = job(&rotating()).unwrap();
    let labels = job.pointer("/spec/template/metadata/labels").unwrap();
    for child in build::children(&seen.0, &rotating(), &class) {
        let path = match child.id.kind {
            ChildKind::StatefulSet => "/spec/selector/matchLabels",
            ChildKind::Service => "/spec/selector",
            _ => continue,
        };
        let selector = child.object.pointer(path).unwrap().as_object().unwrap();
        let finds = selector
            .iter()
            .all(|(name, value)| labels.get(name) == Some(value));
        assert!(!finds, "{:?}", child.id);
    }
}

#[test]
fn there_is_none_before_the_new_key_is_recorded() {
    assert_eq!(job(&record()), None);
    let mut minting = rotating();
    minting.ledger.keys.pop();
    minting.ledger.open.as_mut().unwrap().phase = Phase::Minting;
    assert_eq!(job(&minting), None);
}

#[test]
fn each_attempt_has_a_name_of_its_own() {
    let (mut record, name) = (rotating(), |record: &Record| {
        job_name("alice", record, record.ledger.open.as_ref().unwrap())
    });
    let second = name(&record);
    assert!(second.ends_with("-2"), "{second}");
    record.ledger.open.as_mut().unwrap().attempt = 3;
    assert_ne!(name(&record), second);
}
