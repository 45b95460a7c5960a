//! Worlds in which a rotation is asked for, runs and ends.

use k8s_openapi::api::core::v1::Pod;
use userengine_api::names::{Names, key_suffix};
use userengine_rotation::decide::News;
use userengine_rotation::ledger::Phase;
use userengine_rotation::verdict::{Certificate, Verdict};

use super::*;
use crate::user_engine::child::ChildId;

pub(super) fn initialised() -> Record {
    Record {
        initialised: true,
        ..record()
    }
}

/// An engine that has served, without its children.
pub(super) fn known() -> World {
    world()
        .claimed_with(&initialised())
        .with_key()
        .with_api_key()
}

/// Its children are as they should be.
pub(super) fn built(mut world: World) -> World {
    let plan = world.plan();
    carry_all_out(&mut world, &plan.steps);
    settled(world)
}

/// An engine that serves, as its children are, and is asked to rotate.
pub(super) fn asked(rotation: &Value) -> World {
    built(known().running()).spec(&json!({ "encryption": { "rotation": rotation } }))
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
    let owner = json!({ "apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": job });
    let labels = json!({ "batch.kubernetes.io/job-name": job });
    let pod = json!({
        "metadata": { "name": "p", "labels": labels, "ownerReferences": [owner] },
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
