//! The same trouble is said in the same words for as long as it lasts.

use super::*;

/// What is said of a look that follows on this one.
fn then(world: &World, mut next: World) -> (Finding, Finding) {
    let assessment = world.assess();
    let report = crate::user_engine::status::Report {
        observed: &world.0,
        assessment: &assessment,
        trouble: None,
        version: None,
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let status = report.status();
    next = next.engine(|engine| engine.status = Some(status));
    (assessment.engine, next.assess().engine)
}

#[test]
fn what_only_differs_in_figures_is_said_as_before() {
    let (first, second) = then(&unscheduled(1, 1), unscheduled(30, 7));
    assert_eq!(first, second);
    let pull = |reason: &str, cause: &str| {
        let prefix = if reason == "ErrImagePull" {
            ""
        } else {
            "Back-off pulling image \"x\": ErrImagePull: "
        };
        with(
            &waiting(
                reason,
                &format!("{prefix}read udp 10.0.0.2:{cause}->10.0.0.1:53: i/o timeout"),
            ),
            &json!({}),
            0,
        )
    };
    let (first, second) = then(
        &pull("ErrImagePull", "40001"),
        pull("ImagePullBackOff", "51234"),
    );
    assert_eq!(first, second);
    let (_, gone) = then(
        &pull("ErrImagePull", "40001"),
        with(
            &waiting("ImagePullBackOff", "Back-off pulling image \"x\""),
            &json!({}),
            0,
        ),
    );
    assert_eq!(first, gone, "a cause that is not repeated");
}

#[test]
fn credentials_that_a_kubelet_cannot_read_are_a_trouble_of_the_image() {
    let said = "illegal base64 data at input byte 8";
    let mut world = with(&waiting(said, said), &json!({}), 0);
    let finding = world.assess().engine;
    assert_eq!(finding.reason, Reason::ImagePullFailed);
    assert!(finding.message.contains(said), "{}", finding.message);
    let pod = world.0.pod.as_mut().unwrap();
    let secret = json!([{ "name": "registry" }]);
    pod.spec.as_mut().unwrap().image_pull_secrets = serde_json::from_value(secret).unwrap();
    assert_eq!(pulls_with(pod), ["registry"]);
}

#[test]
fn what_is_said_of_an_image_is_said_while_it_is_tried_anew_and_no_longer() {
    let lacking = || with(&waiting("ErrImagePull", "not found"), &json!({}), 0);
    let after = |next: World| {
        let (before, now) = then(&lacking(), next);
        assert_eq!(before.reason, Reason::ImagePullFailed);
        (now == before, now.reason)
    };
    let image = |of: &str| {
        let mut world = set_of(alive());
        let set = world.0.children.values_mut().next().unwrap();
        let containers = json!([{ "name": CONTAINER, "image": of }]);
        *set.data
            .pointer_mut("/spec/template/spec/containers")
            .unwrap() = containers;
        world
    };
    let (same, other) = (
        "registry.example.com/engine:1",
        "registry.example.com/engine:2",
    );
    assert!(after(lacking().going()).0);
    assert!(after(image(same)).0, "there is no pod for a moment");
    assert_eq!(after(image(other)), (false, Reason::Starting));
    let at = |second: i64, mut world: World| {
        world.0.now = jiff::Timestamp::from_second(second).unwrap();
        after(world.created("1970-01-01T00:00:00Z"))
    };
    assert!(at(359, creating(vec![])).0);
    assert_eq!(at(360, creating(vec![])), (false, Reason::Starting));
    let mut another = creating(vec![]);
    engines(another.0.pod.as_mut().unwrap()).image = Some(other.to_owned());
    assert_eq!(at(1, another), (false, Reason::Starting));
    let mut there = with(&json!({ "running": {} }), &json!({}), 0);
    let status = there.0.pod.as_mut().unwrap().status.as_mut().unwrap();
    for container in status.container_statuses.as_mut().unwrap() {
        container.image_id = "sha256:0".to_owned();
    }
    assert_eq!(at(1, there), (false, Reason::Starting));
    let refused = refused(vec![told("FailedCreate", QUOTA, i64::MAX >> 30)]);
    assert_eq!(after(refused), (false, Reason::PodRefused));
    let mounts = creating(vec![told("FailedMount", "bad superblock", 1)]);
    assert_eq!(at(1, mounts), (false, Reason::VolumeMountFailed));
}

#[test]
fn another_image_is_named_though_it_fails_alike() {
    let now = || with(&waiting("ErrImagePull", "not found"), &json!({}), 0);
    let mut other = now();
    let image = "registry.example.com/engine:2".to_owned();
    engines(other.0.pod.as_mut().unwrap()).image = Some(image);
    let (first, second) = then(&now(), other);
    assert!(first.message.contains("engine:1") && second.message.contains("engine:2"));
}

#[test]
fn a_crash_loop_is_one_trouble_from_end_to_end() {
    let last = ended("Error", 101, 1);
    let backs_off = with(&waiting("CrashLoopBackOff", "back-off 10s"), &last, 1);
    let tries = with(&json!({ "running": {} }), &last, 2);
    let ends = with(&last, &last, 2);
    let (first, second) = then(&backs_off, tries);
    assert_eq!(first, second);
    assert_eq!(then(&backs_off, ends).1, first);
}

#[test]
fn a_message_that_says_what_is_missing_counts_more_than_one_that_does_not() {
    let slow = "MountVolume.SetUp failed for volume \"keyring\" : failed to sync secret cache: timed out waiting for the condition";
    let gone = "MountVolume.SetUp failed for volume \"keyring\" : secret \"alice-key-1\" not found";
    let slow = || told("FailedMount", slow, 10);
    let said = |events| creating(events).assess().engine.message;
    assert!(said(vec![slow()]).contains("timed out"));
    assert!(said(vec![slow(), told("FailedMount", gone, 9)]).contains("alice-key-1"));
}

#[test]
fn of_several_volumes_that_fail_by_turns_one_is_named() {
    let by_turns = |a, b| {
        creating(vec![
            told("FailedMount", "a is missing", a),
            told("FailedMount", "b is missing", b),
        ])
    };
    assert_eq!(
        by_turns(10, 12).assess().engine,
        by_turns(14, 12).assess().engine
    );
    // Until it is sure to be well.
    assert!(
        by_turns(10, 400)
            .assess()
            .engine
            .message
            .contains("b is missing")
    );
}
