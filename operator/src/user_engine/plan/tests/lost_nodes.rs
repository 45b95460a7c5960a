//! A pod of which nobody knows whether it runs: nothing is started beside it, however long that lasts.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use userengine_api::names::{Names, key_suffix};
use userengine_rotation::ledger::Phase;

use super::rotating::{
    asked, certificate, job_pod, ledger, phase, reconcile, replicas_and_ring, running, settled,
};
use super::*;
use crate::user_engine::assess::Severity;
use crate::user_engine::fixtures::long_ago;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The engine's pod, on a node that does not answer: it was to be gone at the beginning of time.
fn lost_pod() -> Pod {
    let pod = json!({
        "metadata": { "name": "alice-0", "deletionTimestamp": long_ago() },
        "spec": { "containers": [], "nodeName": "node-1" },
        "status": { "phase": "Running" },
    });
    serde_json::from_value(pod).unwrap()
}

fn after(mut world: World, time: SignedDuration) -> World {
    world.0.now = Timestamp::UNIX_EPOCH + time;
    world
}

fn is_stuck(world: &World) {
    let all = world.assess();
    let ready = all.ready();
    let said = (ready.reason.as_str(), ready.severity);
    assert_eq!(said, ("NodeUnreachable", Severity::Blocked));
    assert!(ready.message.contains("node"), "{}", ready.message);
}

#[test]
fn an_engine_that_cannot_be_seen_to_stop_is_neither_rotated_nor_started_again() {
    let mut world = asked(&json!({ "id": "r-1" }));
    reconcile(&mut world);
    let mut world = settled(world);
    world.0.rotating.holders = vec![lost_pod()];
    // Far beyond the time in which an engine that can be heard of is given up.
    for days in [1, 2, 30] {
        world = after(world, DAY * days);
        assert_eq!(reconcile(&mut world), [], "after {days} days");
        assert_eq!(phase(&world), Some(Phase::Quiescing));
        assert_eq!(replicas_and_ring(&world).0, json!(0));
        assert!(world.0.rotating.jobs.is_empty());
        is_stuck(&world);
    }
    // The node answers again, or somebody said that it is gone for good.
    world.0.rotating.holders.clear();
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Running));
}

#[test]
fn a_job_that_cannot_be_seen_to_end_is_followed_by_nothing() {
    let mut world = running(&json!({ "id": "r-1" }));
    job_pod(&mut world, "Running", "", "");
    let mut world = after(world, SignedDuration::from_secs(299));
    assert_eq!(reconcile(&mut world), []);
    // Its time is up, and it is deleted: its pod stays.
    let mut world = after(world, DAY);
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Clearing));
    let name = Names("alice").job(&key_suffix(UID, "r-1"), 1);
    job_pod_of(&mut world, &name);
    for days in [2, 30] {
        world = after(world, DAY * days);
        assert_eq!(reconcile(&mut world), [], "after {days} days");
        assert_eq!(phase(&world), Some(Phase::Clearing));
        assert_eq!(replicas_and_ring(&world).0, json!(0));
        is_stuck(&world);
    }
    world.0.rotating.pods.clear();
    reconcile(&mut world);
    assert_eq!(phase(&world), None, "the engine comes back");
    assert_eq!(ledger(&world).ring().count(), 2);
}

/// A pod of this Job that was to be gone at the beginning of time.
fn job_pod_of(world: &mut World, job: &str) {
    let mut pod = lost_pod();
    let label = ("batch.kubernetes.io/job-name".to_owned(), job.to_owned());
    pod.metadata.labels = Some([label].into());
    world.0.rotating.pods = vec![pod];
}

#[test]
fn the_word_of_a_lost_job_counts_when_it_comes_after_all() {
    let mut world = running(&json!({ "id": "r-1" }));
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Running", "", "");
    let mut world = after(world, DAY);
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Clearing));
    let name = Names("alice").job(&key_suffix(UID, "r-1"), 1);
    let job = json!({ "metadata": { "name": name } });
    world.0.rotating.jobs = vec![serde_json::from_value(job).unwrap()];
    job_pod(&mut world, "Succeeded", "", &verdict);
    reconcile(&mut world);
    assert_eq!(replicas_and_ring(&world).0, json!(1));
    assert_eq!(ledger(&world).ring().count(), 1);
}
