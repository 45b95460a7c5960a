//! A rotation, step by step, from the request to the certificate.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use userengine_api::names::{Names, key_suffix};
use userengine_rotation::decide::News;
use userengine_rotation::ledger::{KeyState, Phase};
use userengine_rotation::verdict::{Certificate, Verdict};

use super::*;
use crate::user_engine::child::ChildId;

pub(super) fn initialised() -> Record {
    Record {
        initialised: true,
        ..record()
    }
}

/// An engine that serves, as its children are, and is asked to rotate.
pub(super) fn asked(rotation: &Value) -> World {
    let mut world = world()
        .claimed_with(&initialised())
        .with_key()
        .with_api_key()
        .running();
    let plan = world.plan();
    carry_all_out(&mut world, &plan.steps);
    settled(world).spec(&json!({ "encryption": { "rotation": rotation } }))
}

/// The StatefulSet's controller has seen what was written, and has done it.
pub(super) fn settled(mut world: World) -> World {
    let id = stateful_set();
    let live = world.0.children.get_mut(&id).unwrap();
    let generation = *live.metadata.generation.get_or_insert(1);
    live.data["status"] = json!({ "observedGeneration": generation });
    if live.data["spec"]["replicas"] == 0 {
        world.0.pod = None;
        world.0.rotating.holders.clear();
        world
    } else {
        world.running()
    }
}

pub(super) fn stateful_set() -> ChildId {
    ChildId {
        kind: ChildKind::StatefulSet,
        name: "alice".to_owned(),
    }
}

/// Plans and carries out until nothing is left to plan, as one reconcile does.
pub(super) fn reconcile(world: &mut World) -> Vec<News> {
    let mut news = Vec::new();
    for _ in 0..8 {
        let plan = world.plan();
        carry_all_out(world, &plan.steps);
        news.extend(plan.news);
        if !plan.again {
            break;
        }
    }
    news
}

pub(super) fn replicas_and_ring(world: &World) -> (Value, Vec<String>) {
    let live = &world.0.children[&stateful_set()];
    (live.data["spec"]["replicas"].clone(), build::ring_of(live))
}

pub(super) fn ledger(world: &World) -> Ledger {
    world.0.record().unwrap().unwrap().ledger
}

pub(super) fn phase(world: &World) -> Option<Phase> {
    ledger(world).open.map(|open| open.phase)
}

pub(super) fn new_secret(id: &str) -> String {
    Names("alice").key(&key_suffix(UID, id))
}

pub(super) fn old_secret() -> String {
    Names("alice").key(&suffix())
}

/// The pod of the Job that runs, with these words of its two containers.
pub(super) fn job_pod(world: &mut World, phase: &str, migrate: &str, verify: &str) {
    let job = world.0.rotating.jobs[0].name_any();
    let said = |name: &str, text: &str| {
        let ended = json!({ "terminated": { "exitCode": 0, "message": text } });
        json!({ "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": ended })
    };
    let pod = json!({
        "metadata": { "name": "p", "labels": { "batch.kubernetes.io/job-name": job } },
        "spec": { "containers": [] },
        "status": {
            "phase": phase,
            "initContainerStatuses": [said("migrate", migrate)],
            "containerStatuses": [said("verify", verify)],
        },
    });
    let pod: Pod = serde_json::from_value(pod).unwrap();
    world.0.rotating.pods = vec![pod];
}

pub(super) fn certificate(world: &World, id: &str) -> String {
    let ledger = ledger(world);
    let to = ledger.target().unwrap().kid.clone();
    let text = || "00".to_owned();
    let certificate = Certificate {
        version: 1,
        database_id: UID.to_owned(),
        rotation: id.to_owned().try_into().unwrap(),
        mode: userengine_rotation::request::Mode::Normal,
        from: ledger.active().unwrap().kid.clone(),
        to,
        epoch: 1,
        rows: [("connections.credential".to_owned(), 3)].into(),
        quarantined: 0,
        inventory_before: text(),
        inventory_after: text(),
        image: "registry.example.com/engine:1".to_owned(),
        binary: text(),
        started_at: text(),
        verified_at: text(),
        previous: text(),
        mac: text(),
    };
    serde_json::to_string(&Verdict::Certified(Box::new(certificate))).unwrap()
}

/// Up to the Job that runs.
pub(super) fn running(rotation: &Value) -> World {
    let mut world = asked(rotation);
    reconcile(&mut world);
    let mut world = settled(world);
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Running));
    world
}

#[test]
fn one_reconcile_opens_it_mints_the_key_and_stops_the_engine_with_both_keys_in_its_ring() {
    let mut world = asked(&json!({ "id": "r-1" }));
    let news = reconcile(&mut world);
    assert!(
        matches!(news.as_slice(), [News::Opened(_), News::Quiescing(_)]),
        "{news:?}"
    );
    assert_eq!(phase(&world), Some(Phase::Quiescing));
    let both = vec![old_secret(), new_secret("r-1")];
    assert_eq!(replicas_and_ring(&world), (json!(0), both));
    let walls = ChildId {
        kind: ChildKind::NetworkPolicy,
        name: "alice-rotation".to_owned(),
    };
    assert!(world.0.children.contains_key(&walls));
}

#[test]
fn the_job_waits_until_the_statefulset_is_seen_to_be_empty_and_every_pod_is_gone() {
    let mut world = asked(&json!({ "id": "r-1" }));
    reconcile(&mut world);
    // Its controller has not seen the write yet, though no pod is there.
    world.0.pod = None;
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Quiescing));
    let mut world = settled(world);
    // Somebody's debugger has the volume.
    let debugger = json!({ "metadata": { "name": "d" }, "spec": { "containers": [] }, "status": { "phase": "Running" } });
    world.0.rotating.holders = vec![serde_json::from_value(debugger).unwrap()];
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Quiescing));
    assert!(world.0.rotating.jobs.is_empty());
    world.0.rotating.holders.clear();
    let news = reconcile(&mut world);
    assert_eq!(news, [News::Started { attempt: 1 }]);
    assert_eq!(world.0.rotating.jobs.len(), 1);
}

#[test]
fn with_its_certificate_the_engine_comes_back_with_the_new_key_alone() {
    let mut world = running(&json!({ "id": "r-1" }));
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Succeeded", "", &verdict);
    let news = reconcile(&mut world);
    assert!(matches!(news.as_slice(), [News::Ended(_)]), "{news:?}");
    assert_eq!(
        replicas_and_ring(&world),
        (json!(1), vec![new_secret("r-1")])
    );
    let ledger = ledger(&world);
    assert_eq!(ledger.active().unwrap().suffix, key_suffix(UID, "r-1"));
    assert!(matches!(ledger.keys[0].state, KeyState::Withheld { .. }));
    assert!(world.0.rotating.jobs.is_empty(), "the Job went");
    assert_eq!(reconcile(&mut settled(world)), [], "an id counts once");
}

#[test]
fn a_job_that_runs_is_left_alone_whatever_changes_around_it() {
    let mut world = running(&json!({ "id": "r-1" }));
    job_pod(&mut world, "Running", "", "");
    let before: Vec<Job> = world.0.rotating.jobs.clone();
    let mut world = world
        .class(
            &json!({ "image": "registry.example.com/engine:2", "storage": { "maxSize": "4Gi" } }),
        )
        .spec(&json!({ "storage": { "size": "2Gi" }, "suspended": true }));
    let plan = world.plan();
    assert!(!names(&plan).contains(&"GrowClaim"), "{plan:?}");
    carry_all_out(&mut world, &plan.steps);
    assert_eq!(world.0.rotating.jobs, before);
    assert_eq!(replicas_and_ring(&world).0, json!(0));
}

#[test]
fn a_suspended_engine_rotates_and_stays_suspended() {
    let mut world = asked(&json!({ "id": "r-1" })).suspended();
    reconcile(&mut world);
    let mut world = settled(world);
    reconcile(&mut world);
    let mut world = settled(world);
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Running));
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Succeeded", "", &verdict);
    reconcile(&mut world);
    assert_eq!(
        replicas_and_ring(&world),
        (json!(0), vec![new_secret("r-1")])
    );
}

#[test]
fn an_engine_that_is_not_well_is_not_stopped_for_a_rotation() {
    let mut world = asked(&json!({ "id": "r-1" }));
    world.0.pod = None;
    assert_eq!(reconcile(&mut world), []);
    assert_eq!(world.assess().encryption.reason.as_str(), "RotationPending");
}

#[test]
fn a_key_that_is_being_deleted_is_rotated_away_from() {
    let mut world = asked(&json!({ "id": "r-1" }));
    let KeySecret::Present { terminating, .. } = world.0.keys.get_mut(&suffix()).unwrap() else {
        panic!("no key")
    };
    *terminating = true;
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Quiescing));
}

#[test]
fn a_deletion_of_the_job_ends_the_attempt_and_another_one_follows() {
    let mut world = running(&json!({ "id": "r-1" }));
    world.0.rotating.jobs[0].metadata.deletion_timestamp =
        Some(crate::user_engine::fixtures::long_ago());
    let news = reconcile(&mut world);
    assert!(
        matches!(news.as_slice(), [News::Retrying { .. }]),
        "{news:?}"
    );
    world.0.rotating.jobs.clear();
    let news = reconcile(&mut world);
    assert_eq!(news, [News::Started { attempt: 2 }]);
    assert!(world.0.rotating.jobs[0].name_any().ends_with("-2"));
}

#[test]
fn a_refusal_brings_the_engine_back_with_the_key_it_had() {
    let mut world = running(&json!({ "id": "r-1" }));
    let refused = json!({ "refused": {
        "refusal": { "reason": "RowsUnreadable", "message": "2 values open with no key" },
        "write_kid": key(1).kid(), "touched": false,
    } });
    job_pod(&mut world, "Failed", &refused.to_string(), "");
    reconcile(&mut world);
    assert_eq!(replicas_and_ring(&world), (json!(1), vec![old_secret()]));
    let said = world.assess().encryption;
    assert_eq!(said.reason.as_str(), "RotationRefused");
    assert!(said.message.contains("RowsUnreadable"), "{}", said.message);
}

/// A suspended engine whose first key left the ring when there was no time, and whose class keeps no key.
fn asleep_with_a_retired_key() -> World {
    let mut record = initialised();
    record.ledger.keys[0].state = KeyState::Withheld { since: 0 };
    record.ledger.keys.push(Key {
        kid: key(2).kid(),
        state: KeyState::Active,
        suffix: "0123456789".to_owned(),
    });
    let mut world = world()
        .claimed_with(&record)
        .with_key()
        .with_api_key()
        .class(&json!({ "keys": { "retainRetired": "0s" } }))
        .suspended();
    let secret = holding(Ok(key(2).kid()));
    world.0.keys.insert("0123456789".to_owned(), secret);
    let plan = world.plan();
    let children = plan
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Apply(_)));
    let children: Vec<_> = children.cloned().collect();
    carry_all_out(&mut world, &children);
    settled(world)
}

/// The proof's Job ended with these words.
fn proven(world: &mut World, verdict: &Value) {
    let job = world.plan().steps.into_iter().find_map(|step| match step {
        Step::RunJob(job) => Some(*job),
        _ => None,
    });
    let job: Job = serde_json::from_value(job.unwrap()).unwrap();
    world.0.rotating.jobs = vec![job.clone()];
    job_pod(world, "Succeeded", "", &verdict.to_string());
    world.0.proving.pods = std::mem::take(&mut world.0.rotating.pods);
    world.0.rotating.jobs.clear();
    world.0.proving.jobs = vec![job];
}

fn verified(quarantined: &Value) -> Value {
    json!({ "verified": {
        "database_id": UID, "kid": key(2).kid(), "rows": 3, "quarantined": quarantined, "at": "2026-01-01T00:00:00Z",
    } })
}

#[test]
fn a_key_of_an_engine_that_sleeps_is_destroyed_once_a_job_has_opened_everything_without_it() {
    let mut world = asleep_with_a_retired_key();
    proven(&mut world, &verified(&json!({})));
    let destroying = world.plan();
    assert!(
        matches!(destroying.news.as_slice(), [News::Destroying(kid)] if *kid == key(1).kid()),
        "{destroying:?}"
    );
    carry_all_out(&mut world, &destroying.steps);
    let plan = world.plan();
    assert!(names(&plan).contains(&"DestroyKey"), "{plan:?}");
    assert!(names(&plan).contains(&"DeleteJob"), "the proof's Job goes");
    carry_all_out(&mut world, &plan.steps);
    assert_eq!(reconcile(&mut world), [News::Destroyed(key(1).kid())]);
    assert_eq!(ledger(&world).keys.len(), 1);
}

#[test]
fn a_value_in_quarantine_keeps_its_key() {
    let mut world = asleep_with_a_retired_key();
    let kid = key(1).kid().to_string();
    proven(&mut world, &verified(&json!({ kid: 1 })));
    assert_eq!(world.plan().news, []);
}

#[test]
fn a_hold_that_comes_after_the_proof_counts_all_the_same() {
    let mut world = asleep_with_a_retired_key();
    proven(&mut world, &verified(&json!({})));
    let KeySecret::Present { on_hold, .. } = world.0.keys.get_mut(&suffix()).unwrap() else {
        panic!("no key")
    };
    *on_hold = true;
    assert_eq!(world.plan().news, []);
}

#[test]
fn a_key_on_hold_is_not_even_asked_about() {
    let mut world = asleep_with_a_retired_key();
    let KeySecret::Present { on_hold, .. } = world.0.keys.get_mut(&suffix()).unwrap() else {
        panic!("no key")
    };
    *on_hold = true;
    assert!(!names(&world.plan()).contains(&"RunJob"));
}

#[test]
fn an_engine_that_serves_says_itself_what_it_does_without() {
    let mut world = asleep_with_a_retired_key().spec(&json!({ "suspended": false }));
    let plan = world.plan();
    assert!(!names(&plan).contains(&"RunJob"), "{plan:?}");
    carry_all_out(&mut world, &plan.steps);
    let mut world = settled(world);
    assert!(world.assess().rotation.unwrap().wants_proof);
    let answer = json!({
        "version": "1", "write_kid": key(2).kid(), "held_kids": [key(2).kid()], "rows_by_kid": {},
        "last_verify": { "kid": key(2).kid() },
    });
    world.0.proof = Some(serde_json::from_value(answer).unwrap());
    assert!(matches!(
        world.plan().news.as_slice(),
        [News::Destroying(_)]
    ));
    // The StatefulSet was written again, and who knows what its controller still does.
    let live = world.0.children.get_mut(&stateful_set()).unwrap();
    live.metadata.generation = live.metadata.generation.map(|generation| generation + 1);
    assert_eq!(world.plan().news, []);
}
