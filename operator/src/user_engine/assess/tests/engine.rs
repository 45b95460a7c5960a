//! The pod, and what the engine in it says.

use userengine_api::refusal::RefusalReason;

use super::*;

fn waiting(reason: &str) -> Value {
    json!({ "waiting": { "reason": reason, "message": "the kubelet's words" } })
}

pub fn situations() -> Vec<Situation> {
    let of: fn(&Assessment) -> &Finding = |all| &all.engine;
    let unscheduled = json!({ "conditions": [{ "type": "PodScheduled", "status": "False", "message": "no node has room" }] });
    let leaving = |mut world: World| {
        world.0.pod.as_mut().unwrap().metadata.deletion_timestamp = Some(long_ago());
        world
    };
    vec![
        (
            alive().running(),
            of,
            Reason::AsExpected,
            Severity::Fine,
            &["serves"],
        ),
        (
            alive(),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["to be created"],
        ),
        (
            leaving(alive().running()),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["former pod"],
        ),
        (
            alive().pod(
                &json!({ "phase": "Failed", "reason": "Evicted", "message": "low on memory" }),
            ),
            of,
            Reason::PodRejected,
            Severity::Blocked,
            &["Evicted", "low on memory"],
        ),
        (
            alive().pod(&unscheduled),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["no node has room"],
        ),
        (
            alive().container(&waiting("PodInitializing"), &json!({})),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["PodInitializing", "the kubelet's words"],
        ),
        (
            alive().container(&waiting("ContainerCreating"), &json!({})),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["waiting for the engine"],
        ),
        (
            alive().container(&json!({ "running": {} }), &json!({})),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["waiting for the engine"],
        ),
        (
            alive().ended("thread main panicked"),
            of,
            Reason::Starting,
            Severity::Waiting,
            &["exit code 66"],
        ),
        (
            alive().suspended(),
            of,
            Reason::Suspended,
            Severity::Idle,
            &["on request"],
        ),
        (
            alive().running().suspended(),
            of,
            Reason::Stopping,
            Severity::Waiting,
            &["close its brain"],
        ),
    ]
}

pub fn refusal(reason: RefusalReason) -> String {
    json!({ "reason": reason.as_str(), "message": "found this, do that" }).to_string()
}

#[test]
fn a_refusal_becomes_the_reason_in_the_engines_own_words() {
    for reason in RefusalReason::ALL {
        let engine = alive().ended(&refusal(reason)).assess().engine;
        assert_eq!(
            (engine.reason, engine.message.as_str()),
            (Reason::Refused(reason), "found this, do that")
        );
        let wanted = if reason == RefusalReason::BrainLocked {
            Severity::Waiting
        } else {
            Severity::Blocked
        };
        assert_eq!(engine.severity, wanted, "{reason:?}");
    }
}

#[test]
fn a_refusal_is_remembered_while_the_container_waits_for_its_next_try() {
    let last =
        json!({ "terminated": { "exitCode": 65, "message": refusal(RefusalReason::KeyForeign) } });
    for now in [waiting("CrashLoopBackOff"), json!({ "running": {} })] {
        let engine = alive().container(&now, &last).assess().engine;
        assert_eq!(
            engine.reason,
            Reason::Refused(RefusalReason::KeyForeign),
            "{now}"
        );
    }
    // The end that is nearer counts.
    let now = json!({ "terminated": { "exitCode": 66, "message": refusal(RefusalReason::BrainCorrupt) } });
    assert_eq!(
        alive().container(&now, &last).assess().engine.reason,
        Reason::Refused(RefusalReason::BrainCorrupt)
    );
}

#[test]
fn a_refusal_is_over_once_the_engine_serves_or_is_suspended() {
    let refused = || alive().ended(&refusal(RefusalReason::BrainMissing));
    assert_eq!(
        refused().suspended().assess().engine.reason,
        Reason::Stopping
    );
    let mut ready = refused();
    let status = ready.0.pod.as_mut().unwrap().status.as_mut().unwrap();
    status.conditions =
        serde_json::from_value(json!([{ "type": "Ready", "status": "True" }])).unwrap();
    assert!(ready.assess().engine.holds());
}

#[test]
fn no_other_message_and_no_other_container_is_a_refusal() {
    for message in [
        "",
        "{}",
        "panicked",
        r#"{"reason":"Sunspots","message":""}"#,
    ] {
        let engine = alive().ended(message).assess().engine;
        assert_eq!(
            (engine.reason, engine.severity),
            (Reason::Starting, Severity::Waiting),
            "{message}"
        );
    }
    let sidecar = json!({ "containerStatuses": [{
        "name": "sidecar", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "terminated": { "exitCode": 66, "message": refusal(RefusalReason::BrainMissing) } },
    }] });
    assert_eq!(
        alive().pod(&sidecar).assess().engine.reason,
        Reason::Starting
    );
}
