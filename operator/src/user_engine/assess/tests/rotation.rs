//! What is said of rotations, and what the pods around them are taken for.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use userengine_rotation::decide::{Holders, Job as JobSeen};
use userengine_rotation::verdict::{Step, Verdict};

use super::*;
use crate::user_engine::assess::jobs;
use crate::user_engine::fixtures::{rotating, rotating_record};
use crate::user_engine::observed::Rotating;

fn asked(world: World, rotation: &Value) -> World {
    world.spec(&json!({ "encryption": { "rotation": rotation } }))
}

/// Nothing is open, and the last one, `r-0`, ended like this.
fn ended(outcome: &str) -> World {
    let mut record = record();
    record.initialised = true;
    let last =
        json!({ "id": "r-0", "outcome": outcome, "started": 1, "ended": 2, "why": "of this" });
    record.ledger.last = Some(serde_json::from_value(last).unwrap());
    let id = "r-0".to_owned().try_into().unwrap();
    let hash = userengine_rotation::ledger::IdHash::of(&id);
    record.ledger.consumed.insert(hash);
    let world = world().claimed_with(&record).with_key().running();
    asked(world, &json!({ "id": "r-0" }))
}

fn lost() -> World {
    let mut world = rotating("Quiescing");
    let pod = pod(
        &json!({ "deletionTimestamp": "1970-01-01T00:00:00Z" }),
        "Running",
    );
    world.0.now = Timestamp::from_second(100).unwrap();
    world.0.rotating.holders = vec![pod];
    world
}

fn pod(metadata: &Value, phase: &str) -> Pod {
    let pod =
        json!({ "metadata": metadata, "spec": { "containers": [] }, "status": { "phase": phase } });
    serde_json::from_value(pod).unwrap()
}

pub fn situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.encryption;
    let (waiting, blocked) = (Severity::Waiting, Severity::Blocked);
    let queued = asked(rotating("Running"), &json!({ "id": "r-2" }));
    let mut unwell = record();
    unwell.initialised = true;
    let unwell = world().claimed_with(&unwell).with_key();
    vec![
        (alive(), of, Reason::AsExpected, Severity::Fine, &["key"]),
        (
            rotating("Running"),
            of,
            Reason::Rotating,
            waiting,
            &["r-1", "checking"],
        ),
        (
            asked(unwell, &json!({ "id": "r-9" })),
            of,
            Reason::RotationPending,
            waiting,
            &["r-9", "well"],
        ),
        (
            queued,
            of,
            Reason::RotationQueued,
            waiting,
            &["r-1", "r-2 waits"],
        ),
        (
            ended("Rejected"),
            of,
            Reason::RotationRejected,
            blocked,
            &["r-0", "of this"],
        ),
        (
            ended("Refused"),
            of,
            Reason::RotationRefused,
            blocked,
            &["of this", "new id"],
        ),
        (
            ended("Failed"),
            of,
            Reason::RotationFailed,
            blocked,
            &["of this", "new id"],
        ),
        (
            lost(),
            of,
            Reason::NodeUnreachable,
            blocked,
            &["r-1", "node"],
        ),
    ]
}

#[test]
fn a_rotation_that_has_stopped_the_engine_is_what_the_engine_waits_for() {
    for (phase, reason) in [
        ("Minting", "Starting"),
        ("Quiescing", "Rotating"),
        ("Running", "Rotating"),
        ("Clearing", "Rotating"),
    ] {
        let engine = rotating(phase).assess().engine;
        assert_eq!(engine.reason.as_str(), reason, "{phase}");
    }
}

#[test]
fn a_pod_holds_the_volume_until_it_has_ended_for_good() {
    let now = Timestamp::from_second(1000).unwrap();
    let with = |pods: Vec<Pod>| Rotating {
        holders: pods,
        ..Rotating::default()
    };
    let seen = |pods| jobs::holders(&with(pods), now);
    let going = |seconds: i64| {
        let due = now - SignedDuration::from_secs(seconds);
        pod(&json!({ "deletionTimestamp": due.to_string() }), "Running")
    };
    assert_eq!(seen(vec![]), Holders::None);
    assert_eq!(seen(vec![pod(&json!({}), "Succeeded")]), Holders::None);
    assert_eq!(seen(vec![pod(&json!({}), "Failed")]), Holders::None);
    assert_eq!(seen(vec![pod(&json!({}), "Pending")]), Holders::Some);
    assert_eq!(seen(vec![going(-30)]), Holders::Some);
    assert_eq!(seen(vec![going(59)]), Holders::Some);
    assert_eq!(seen(vec![going(61)]), Holders::Unreachable);
    let one_of_two = vec![pod(&json!({}), "Running"), going(61)];
    assert_eq!(seen(one_of_two), Holders::Unreachable);
}

/// The Job of the attempt, with a pod of this phase in which these containers ended with these words.
fn job(phase: &str, migrate: &str, verify: &str) -> Rotating {
    let record = rotating_record("Running");
    let open = record.ledger.open.as_ref().unwrap();
    let name = crate::user_engine::build::job_name("alice", &record, open);
    let status = |name: &str, message: &str| {
        let ended = json!({ "terminated": { "exitCode": 0, "message": message } });
        json!({ "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": ended })
    };
    let labels = json!({ "batch.kubernetes.io/job-name": name });
    let mut pod = serde_json::to_value(pod(&json!({ "labels": labels }), phase)).unwrap();
    pod["status"]["initContainerStatuses"] = json!([status("migrate", migrate)]);
    pod["status"]["containerStatuses"] = json!([status("verify", verify)]);
    Rotating {
        jobs: vec![serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap()],
        pods: vec![serde_json::from_value(pod).unwrap()],
        ..Rotating::default()
    }
}

const MIGRATED: &str = r#"{"migrated":{"rotation":"r-1","write_kid":"0123456789abcdef","epoch":1,"rows":3,"recovered":false}}"#;
const REFUSED: &str = r#"{"refused":{"refusal":{"reason":"RowsUnreadable","message":"m"},"write_kid":null,"touched":false}}"#;

fn seen(rotating: &Rotating) -> JobSeen {
    jobs::any(rotating, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_job_ends_with_the_last_words_of_its_pod() {
    let verdict = |migrate, verify| match seen(&job("Failed", migrate, verify)) {
        JobSeen::Ended(verdict) => verdict,
        other => panic!("{other:?}"),
    };
    assert!(matches!(verdict(REFUSED, ""), Some(Verdict::Refused(_))));
    assert!(matches!(
        verdict(MIGRATED, REFUSED),
        Some(Verdict::Refused(_))
    ));
    assert!(matches!(verdict(MIGRATED, ""), Some(Verdict::Migrated(_))));
    assert_eq!(verdict("", "thread main panicked"), None);
}

#[test]
fn between_its_containers_a_job_is_as_far_as_the_first_one_said() {
    let far = |phase, migrate| jobs::between(&job(phase, migrate, "").pods);
    let progress = far("Running", MIGRATED).unwrap();
    assert_eq!(
        (progress.rotation.as_str(), progress.step, progress.total),
        ("r-1", Step::Verifying, 3)
    );
    assert_eq!(far("Running", REFUSED), None);
    assert_eq!(far("Running", ""), None);
    assert_eq!(far("Succeeded", MIGRATED), None);
}

#[test]
fn a_job_is_there_until_neither_it_nor_a_pod_of_it_is() {
    let running = job("Running", "", "");
    assert!(matches!(seen(&running), JobSeen::Running(_)));
    let mut orphaned = running.clone();
    orphaned.jobs.clear();
    assert_eq!(seen(&orphaned), JobSeen::Going);
    let mut over = job("Succeeded", MIGRATED, REFUSED);
    over.jobs.clear();
    assert_eq!(seen(&over), JobSeen::Going, "until it is cleared away");
    let mut deleted = job("Succeeded", MIGRATED, REFUSED);
    deleted.jobs[0].metadata.deletion_timestamp = Some(long_ago());
    assert_eq!(seen(&deleted), JobSeen::Going);
    let mut without_pod = running.clone();
    without_pod.pods.clear();
    assert!(matches!(seen(&without_pod), JobSeen::Running(_)));
    let failed = json!({ "conditions": [{ "type": "Failed", "status": "True" }] });
    without_pod.jobs[0].status = Some(serde_json::from_value(failed).unwrap());
    assert_eq!(seen(&without_pod), JobSeen::Ended(None));
    assert_eq!(seen(&Rotating::default()), JobSeen::Absent);
}

#[test]
fn what_a_job_of_the_same_name_left_behind_says_nothing_of_the_next_one() {
    let mut next = job("Succeeded", MIGRATED, REFUSED);
    let labels = next.pods[0].metadata.labels.as_mut().unwrap();
    labels.insert(
        "batch.kubernetes.io/controller-uid".to_owned(),
        "1".to_owned(),
    );
    next.jobs[0].metadata.uid = Some("2".to_owned());
    assert!(matches!(seen(&next), JobSeen::Running(_)));
    next.jobs[0].metadata.uid = Some("1".to_owned());
    assert!(matches!(seen(&next), JobSeen::Ended(Some(_))));
}

#[test]
fn a_job_on_a_lost_node_is_neither_running_nor_gone() {
    let mut lost = job("Running", "", "");
    lost.pods[0].metadata.deletion_timestamp = Some(long_ago());
    let now = Timestamp::from_second(100).unwrap();
    assert_eq!(jobs::any(&lost, now), JobSeen::Unreachable);
}
