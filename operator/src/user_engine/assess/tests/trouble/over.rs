//! What is a trouble no more, or none of this engine's, and what there is to ask about it.

use super::*;

#[test]
fn an_end_now_and_then_is_no_crash_loop() {
    let after_days = with(&json!({ "running": {} }), &ended("Error", 1, 86_400), 9);
    assert_eq!(after_days.assess().engine.reason, Reason::Starting);
    let first = with(&ended("Error", 1, 1), &json!({}), 0);
    assert_eq!(first.assess().engine.reason, Reason::Starting);
}

#[test]
fn an_engine_that_has_started_since_lacked_memory_once() {
    let mut world = with(&json!({ "running": {} }), &ended("OOMKilled", 137, 1), 1);
    let status = world.0.pod.as_mut().unwrap().status.as_mut().unwrap();
    status.container_statuses.as_mut().unwrap()[1].started = Some(true);
    assert_eq!(world.assess().engine.reason, Reason::Starting);
}

#[test]
fn a_volume_that_is_yet_to_be_bound_is_the_volumes_trouble() {
    let said = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    let status = json!({ "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said }] });
    let ready = alive().claim_phase("Pending").pod(&status);
    assert_eq!(ready.assess().ready().reason, Reason::ClaimPending);
}

#[test]
fn a_failure_is_over_once_something_came_of_the_next_try() {
    let mounted = creating(vec![
        told("FailedMount", "timed out", 10),
        told("Pulling", "pulling", 11),
    ]);
    assert_eq!(mounted.assess().engine.reason, Reason::Starting);
    // In the same second, time has to show it.
    let attached = creating(vec![
        told("FailedAttachVolume", "no", 10),
        told("SuccessfulAttachVolume", "yes", 10),
    ]);
    assert_eq!(attached.assess().engine.reason, Reason::Starting);
    let again = creating(vec![
        told("SuccessfulAttachVolume", "yes", 10),
        told("FailedMount", "no", 12),
    ]);
    assert_eq!(again.assess().engine.reason, Reason::VolumeMountFailed);
    // The sandbox is made once the volumes are there.
    let failing = || {
        vec![
            told("FailedMount", "no", 10),
            told("FailedCreatePodSandBox", "no", 12),
        ]
    };
    let mounted = creating(failing());
    assert_eq!(mounted.assess().engine.reason, Reason::SandboxFailed);
    let mut made = failing();
    made.push(told("Pulled", "there", 13));
    assert_eq!(creating(made).assess().engine.reason, Reason::Starting);
    let made = refused(vec![
        told("FailedCreate", QUOTA, 10),
        told("SuccessfulCreate", "made", 11),
    ]);
    assert_eq!(made.assess().engine.reason, Reason::Starting);
}

#[test]
fn a_refusal_from_before_the_engine_served_last_says_nothing() {
    let condition = |since: i64| {
        let since = jiff::Timestamp::from_second(since).unwrap().to_string();
        json!({ "type": "EngineAvailable", "status": "False", "reason": "Starting", "message": "", "lastTransitionTime": since })
    };
    let stopped = |since| {
        refused(vec![told("FailedCreate", QUOTA, 100)]).engine(|engine| {
            let status = json!({ "conditions": [condition(since)] });
            engine.status = Some(serde_json::from_value(status).unwrap());
        })
    };
    assert_eq!(stopped(99).assess().engine.reason, Reason::PodRefused);
    assert_eq!(stopped(101).assess().engine.reason, Reason::Starting);
}

#[test]
fn a_pod_that_is_long_past_its_time_is_on_a_node_that_does_not_answer() {
    let mut going = alive().running().going();
    going.0.now = jiff::Timestamp::from_second(59).unwrap();
    assert_eq!(going.assess().engine.reason, Reason::Starting);
    going.0.now = jiff::Timestamp::from_second(61).unwrap();
    assert_eq!(going.assess().engine.reason, Reason::NodeUnreachable);
    assert_eq!(
        going.suspended().assess().engine.reason,
        Reason::NodeUnreachable
    );
}

#[test]
fn a_node_that_was_lost_before_its_pod_was_deleted_is_still_lost_while_the_pod_has_time() {
    let deleted = |lost: &str| {
        let mut world = unheard_of();
        let pod = world.0.pod.as_mut().unwrap();
        // Deleted at 12:05, with a minute to end.
        let going = json!({ "name": "alice-0", "deletionTimestamp": "2026-06-01T12:06:00Z", "deletionGracePeriodSeconds": 60 });
        pod.metadata = serde_json::from_value(going).unwrap();
        let ready = json!([{ "type": "Ready", "status": "False", "lastTransitionTime": lost }]);
        let status = pod.status.as_mut().unwrap();
        status.conditions = serde_json::from_value(ready).unwrap();
        world.0.now = "2026-06-01T12:05:10Z".parse().unwrap();
        world
    };
    let lost = deleted("2026-06-01T12:00:00Z");
    assert_eq!(lost.assess().engine.reason, Reason::NodeUnreachable);
    let lost = deleted("2026-06-01T12:00:00Z").suspended();
    assert_eq!(lost.assess().engine.reason, Reason::NodeUnreachable);
    let ends = deleted("2026-06-01T12:05:01Z");
    assert_eq!(ends.assess().engine.reason, Reason::Starting);
}

#[test]
fn events_are_asked_for_of_what_is_waited_for_and_of_nothing_else() {
    let asked = |world: World| {
        awaited(&world.0)
            .into_iter()
            .map(|it| it.uid)
            .collect::<Vec<_>>()
    };
    assert_eq!(asked(set_of(alive())), ["set-1"]);
    assert_eq!(asked(creating(Vec::new())), ["pod-1"]);
    assert!(asked(set_of(alive()).suspended()).is_empty());
    for reason in ["ImagePullBackOff", "CrashLoopBackOff"] {
        assert!(
            asked(with(&waiting(reason, ""), &json!({}), 0)).is_empty(),
            "{reason}"
        );
    }
    for world in [alive().running(), unscheduled(1, 1)] {
        assert!(asked(world.unplaced()).is_empty());
    }
    let pending = alive()
        .claim_phase("Pending")
        .claim(|claim| claim.metadata.uid = Some("claim-1".to_owned()));
    assert_eq!(asked(pending), ["claim-1"]);
}

#[test]
fn what_the_kubelet_looked_for_in_vain_is_known_by_name() {
    let of = |world: &World| {
        let pod = world.0.pod.as_ref().unwrap();
        missing(&world.0, pod).map(|it| format!("{it:?}"))
    };
    let mounting = |said: &str| creating(vec![told("FailedMount", said, 10)]);
    let secret = mounting(
        r#"MountVolume.SetUp failed for volume "keyring" : secret "alice-key-0" not found"#,
    );
    assert_eq!(of(&secret).as_deref(), Some(r#"Secret("alice-key-0")"#));
    let config = waiting(
        "CreateContainerConfigError",
        r#"configmap "more" not found"#,
    );
    assert_eq!(
        of(&with(&config, &json!({}), 0)).as_deref(),
        Some(r#"ConfigMap("more")"#)
    );
    assert_eq!(of(&mounting("timed out waiting for the condition")), None);
    // It was tried again meanwhile, and came further.
    let mut further = secret;
    further.0.events.push(told("Pulled", "pulled", 11));
    assert_eq!(of(&further), None);
}
