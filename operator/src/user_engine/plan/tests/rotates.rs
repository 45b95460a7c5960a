//! A rotation, step by step, from the request to the certificate.

use k8s_openapi::api::batch::v1::Job;
use userengine_api::names::key_suffix;
use userengine_rotation::ledger::Phase;

use super::rotating::*;
use super::*;
use crate::user_engine::child::ChildId;

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
fn a_job_that_is_deleted_without_its_pod_is_followed_by_another_whatever_became_of_that_pod() {
    for became in ["Pending", "Running", "Succeeded", "Failed"] {
        let mut world = running(&json!({ "id": "r-1" }));
        job_pod(&mut world, became, "", "");
        world.0.rotating.jobs.clear();
        world.0.rotating.pods[0].metadata.owner_references = None;
        let news = reconcile(&mut world);
        assert!(
            matches!(news.as_slice(), [News::Retrying { .. }]),
            "{became}: {news:?}"
        );
        let mut world = settled(world);
        reconcile(&mut world);
        assert!(world.0.rotating.pods.is_empty(), "{became}: it stays");
        let mut world = settled(world);
        reconcile(&mut world);
        assert_eq!(phase(&world), Some(Phase::Running), "{became}");
        let open = ledger(&world).open.unwrap();
        assert_eq!((open.attempt, open.doubt), (2, true), "{became}");
    }
}

#[test]
fn what_is_left_of_the_job_of_a_proof_is_cleared_away() {
    let mut world = running(&json!({ "id": "r-1" }));
    job_pod(&mut world, "Pending", "", "");
    world.0.proving.pods = std::mem::take(&mut world.0.rotating.pods);
    assert!(!names(&world.plan()).contains(&"DeletePod"));
    world.0.proving.pods[0].metadata.owner_references = None;
    assert!(names(&world.plan()).contains(&"DeletePod"));
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
