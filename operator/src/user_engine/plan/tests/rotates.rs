//! A rotation, step by step, from the request to the certificate.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use userengine_api::names::{Names, key_suffix};
use userengine_rotation::decide::News;
use userengine_rotation::ledger::{KeyState, Phase};
use userengine_rotation::verdict::{Certificate, Verdict};

use super::*;
use crate::user_engine::child::ChildId;

fn initialised() -> Record {
    Record {
        initialised: true,
        ..record()
    }
}

/// An engine that serves, as its children are, and is asked to rotate.
fn asked(rotation: &Value) -> World {
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
fn settled(mut world: World) -> World {
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

fn stateful_set() -> ChildId {
    ChildId {
        kind: ChildKind::StatefulSet,
        name: "alice".to_owned(),
    }
}

/// Plans and carries out until nothing is left to plan, as one reconcile does.
fn reconcile(world: &mut World) -> Vec<News> {
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

fn replicas_and_ring(world: &World) -> (Value, Vec<String>) {
    let live = &world.0.children[&stateful_set()];
    (live.data["spec"]["replicas"].clone(), build::ring_of(live))
}

fn ledger(world: &World) -> Ledger {
    world.0.record().unwrap().unwrap().ledger
}

fn phase(world: &World) -> Option<Phase> {
    ledger(world).open.map(|open| open.phase)
}

fn new_secret(id: &str) -> String {
    Names("alice").key(&key_suffix(UID, id))
}

fn old_secret() -> String {
    Names("alice").key(&suffix())
}

/// The pod of the Job that runs, with these words of its two containers.
fn job_pod(world: &mut World, phase: &str, migrate: &str, verify: &str) {
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

fn certificate(world: &World, id: &str) -> String {
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
        started_at: text(),
        verified_at: text(),
        previous: text(),
        mac: text(),
    };
    serde_json::to_string(&Verdict::Certified(Box::new(certificate))).unwrap()
}

/// Up to the Job that runs.
fn running(rotation: &Value) -> World {
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
