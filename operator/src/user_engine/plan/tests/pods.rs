//! Pods that run and should not, and pods that should run and do not.

use super::*;
use crate::user_engine::fixtures::set_of;

/// The change of the StatefulSet that is planned.
fn set(world: &World) -> Option<Value> {
    child(&world.plan(), ChildKind::StatefulSet).cloned()
}

#[test]
fn an_engine_that_is_blocked_is_suspended_all_the_same() {
    let no_key = || set_of(world().claimed().running());
    assert_eq!(set(&no_key()), None, "what runs goes on");
    let before = serde_json::to_value(no_key().0.stateful_set()).unwrap();
    for blocked in [
        no_key().suspended(),
        no_key().suspended().classes([]),
        set_of(world().running()).had_storage().suspended(),
        set_of(alive().claim_phase("Lost").running()).suspended(),
    ] {
        let stopped = set(&blocked).unwrap();
        assert_eq!(stopped["spec"]["replicas"], 0);
        assert_eq!(
            stopped["metadata"]["annotations"][labels::STOPPED_FOR],
            labels::FOR_SPEC
        );
        assert_eq!(stopped["metadata"]["labels"][labels::ENGINE], "alice");
        let (was, is) = (&before["spec"]["template"], &stopped["spec"]["template"]);
        assert_eq!(was, is, "and nothing else of it is changed");
    }
}

#[test]
fn a_wish_to_stop_is_ready_whatever_comes_of_the_other_steps() {
    let plan = set_of(alive().running()).suspended().plan();
    let [Step::Apply(stop)] = plan.urgent.as_slice() else {
        panic!("{:?}", plan.urgent);
    };
    assert_eq!(stop.object["spec"]["replicas"], 0);
    let sets = plan.steps.iter().filter(|step| step.is_of_the_set());
    assert_eq!(
        sets.count(),
        1,
        "and not done twice if nothing is in the way"
    );
    assert_eq!(set_of(alive().running()).plan().urgent, []);
}

#[test]
fn one_that_is_suspended_already_is_not_stopped_again() {
    let mut world = set_of(world().claimed().running()).suspended();
    let steps = world.plan().steps;
    carry_all_out(&mut world, &steps);
    assert_eq!((set(&world), world.plan().urgent), (None, vec![]));
}

#[test]
fn a_pause_and_a_rotation_come_before_the_wish_to_suspend() {
    let no_key = || set_of(world().claimed().running()).suspended();
    assert!(no_key().paused().plan().steps.is_empty());
    let mut rotating = crate::user_engine::fixtures::rotating("Quiescing").suspended();
    rotating.0.keys.clear();
    assert_eq!(set(&set_of(rotating)), None);
}

fn starved(reason: &str, message: &str) -> World {
    let mut world = alive().container(
        &json!({ "waiting": { "reason": reason, "message": message } }),
        &json!({}),
    );
    let metadata = &mut world.0.pod.as_mut().unwrap().metadata;
    metadata.uid = Some("pod-1".to_owned());
    metadata.resource_version = Some("8".to_owned());
    world
}

fn renews(world: &World) -> bool {
    let deletes = |step: &Step| {
        let Step::DeletePod { name, uid, version } = step else {
            return false;
        };
        let which = (name.as_str(), uid.as_deref(), version.as_deref());
        assert_eq!(which, ("alice-0", Some("pod-1"), Some("8")));
        true
    };
    world.plan().steps.iter().any(deletes)
}

#[test]
fn a_pod_that_waits_for_what_is_there_by_now_is_made_anew() {
    let starved = |found: bool| {
        let mut world = starved("CreateContainerConfigError", "secret \"extra\" not found");
        world.0.found = found;
        world
    };
    assert!(renews(&starved(true)));
    assert!(!renews(&starved(false)));
    assert!(!renews(&starved(true).going()));
    assert!(!renews(&starved(true).paused()));
}

#[test]
fn an_engine_that_refused_its_key_gets_the_one_that_came_after() {
    let refusal = json!({ "reason": "KeyForeign", "message": "not this brain's" }).to_string();
    let refused_at = |second: i64| {
        let time = jiff::Timestamp::from_second(second).unwrap().to_string();
        let last =
            json!({ "terminated": { "exitCode": 65, "message": refusal, "finishedAt": time } });
        let mut world = alive().container(
            &json!({ "waiting": { "reason": "CrashLoopBackOff" } }),
            &last,
        );
        let metadata = &mut world.0.pod.as_mut().unwrap().metadata;
        metadata.uid = Some("pod-1".to_owned());
        metadata.resource_version = Some("8".to_owned());
        world
    };
    // The Secret is as old as time.
    assert!(renews(&refused_at(-10)));
    assert!(!renews(&refused_at(10)), "it refused this very Secret");
    assert!(!renews(&refused_at(-10).with_key_secret(KeySecret::Absent)));
}

#[test]
fn a_refused_pod_is_tried_again_when_what_bounds_it_changed_and_not_otherwise() {
    let bounds =
        |world: &World| set(world).unwrap()["metadata"]["annotations"][labels::BOUNDS].clone();
    let mut world = set_of(alive());
    assert_eq!(bounds(&world), Value::Null);
    world.0.bounds = Some("one".to_owned());
    assert_eq!(bounds(&world), "one");
    let steps = world.plan().steps;
    carry_all_out(&mut world, &steps);
    world.0.bounds = None;
    assert_eq!(
        bounds(&world),
        "one",
        "its going would be a write for nothing"
    );
    // Tried anew under the same bounds.
    world.0.bounds = Some("one-60".to_owned());
    assert_eq!(bounds(&world), "one-60");
    let steps = world.plan().steps;
    carry_all_out(&mut world, &steps);
    for (now, then) in [("one", "one-60"), ("one-120", "one-120"), ("two", "two")] {
        world.0.bounds = Some(now.to_owned());
        assert_eq!(bounds(&world), then);
    }
    // So is one that keeps the pod it was made with.
    let mut beyond = world.spec(&json!({ "image": "registry.example.com/other:1" }));
    assert_eq!(bounds(&beyond), "two");
    beyond.0.bounds = Some("one".to_owned());
    assert_eq!(set(&beyond), None, "it was tried under these");
}

#[test]
fn a_growth_that_was_refused_is_not_asked_for_again_until_something_changes() {
    use crate::user_engine::growth::{Growth, Refused};
    let after = |seconds: i64, size: &str| {
        let mut world = sized(size);
        let (from, to) = ("1Gi".parse().unwrap(), "2Gi".parse().unwrap());
        world.0.refused_growth = Some(Refused {
            growth: Growth {
                claim: None,
                from,
                to,
            },
            message: "'alice-brain' stays as large as it is: no".to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
        });
        world.0.now = jiff::Timestamp::from_second(seconds).unwrap();
        world
    };
    let grows = |world: &World| {
        let plan = world.plan();
        assert_eq!(plan.grows(), names(&plan).contains(&"GrowClaim"));
        plan.grows()
    };
    assert!(!grows(&after(60, "2Gi")));
    assert!(grows(&after(60, "3Gi")), "another size");
    assert!(
        grows(&after(3600, "2Gi")),
        "a StorageClass may have learnt it"
    );
    let storage = after(60, "2Gi").assess().storage;
    assert_eq!(
        storage.reason,
        userengine_api::condition::Reason::GrowthRefused
    );
    assert!(
        storage.holds() && storage.message.contains("stays as large"),
        "it is said all the while"
    );
    assert_eq!(
        after(60, "1Gi").assess().storage.reason,
        userengine_api::condition::Reason::AsExpected
    );
}
