//! The class goes in the middle of a rotation: the engine comes back all the same, on the settings that it had.

use userengine_rotation::ledger::{Outcome, Phase};

use super::rotating::{
    asked, certificate, job_pod, known, ledger, new_secret, old_secret, phase, reconcile,
    replicas_and_ring, running, settled,
};
use super::*;

const RICH: &str = r#"{
    "imagePullSecrets": ["registry"], "imagePullPolicy": "Always", "logLevel": "debug",
    "terminationGracePeriodSeconds": 7, "runtimeClassName": "gvisor", "priorityClassName": "engines",
    "nodeSelector": { "example.com/pool": "engines" },
    "tolerations": [{ "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60 }],
    "resources": { "requests": { "cpu": "20m", "memory": "48Mi" }, "limits": { "cpu": "2", "memory": "128Mi" } }
}"#;

fn reasons(world: &World) -> (&'static str, &'static str) {
    let all = world.assess();
    (all.class.reason.as_str(), all.encryption.reason.as_str())
}

#[test]
fn a_rotation_that_has_stopped_the_engine_goes_on_to_its_certificate() {
    let mut world = asked(&json!({ "id": "r-1" }));
    reconcile(&mut world);
    let mut world = settled(world).classes([]);
    assert_eq!(reasons(&world), ("ClassNotFound", "Rotating"));
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Running));
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Succeeded", "", &verdict);
    reconcile(&mut world);
    let back = (json!(1), vec![new_secret("r-1")]);
    assert_eq!(replicas_and_ring(&world), back);
    let world = settled(world);
    assert_eq!(reasons(&world), ("ClassNotFound", "AsExpected"));
    assert_eq!(world.assess().engine.reason.as_str(), "AsExpected");
    assert_eq!(names(&world.plan()), Vec::<&str>::new());
}

#[test]
fn the_engine_is_stopped_for_it_though_the_class_goes_before_that_is_written() {
    let mut world = asked(&json!({ "id": "r-1" }));
    for _ in 0..3 {
        // Up to the record that says so.
        let plan = world.plan();
        carry_all_out(&mut world, &plan.steps);
    }
    assert_eq!(phase(&world), Some(Phase::Quiescing));
    let mut world = world.classes([]);
    assert_eq!(replicas_and_ring(&world).0, json!(1));
    reconcile(&mut world);
    let both = vec![old_secret(), new_secret("r-1")];
    assert_eq!(replicas_and_ring(&world), (json!(0), both));
}

#[test]
fn one_that_comes_to_nothing_gives_the_engine_back_on_the_ring_it_had() {
    let refused = |touched: bool| {
        let refusal = json!({ "reason": "RowsUnreadable", "message": "2 values open with no key" });
        json!({ "refused": { "refusal": refusal, "write_kid": key(1).kid(), "touched": touched } })
    };
    let both = vec![old_secret(), new_secret("r-1")];
    for (touched, ring) in [(false, vec![old_secret()]), (true, both)] {
        let mut world = running(&json!({ "id": "r-1" })).classes([]);
        job_pod(&mut world, "Failed", &refused(touched).to_string(), "");
        reconcile(&mut world);
        assert_eq!(replicas_and_ring(&world), (json!(1), ring), "{touched}");
        assert_ne!(ledger(&world).last.unwrap().outcome, Outcome::Certified);
    }
}

#[test]
fn a_suspended_engine_is_not_woken() {
    let mut world = running(&json!({ "id": "r-1" })).suspended().classes([]);
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Succeeded", "", &verdict);
    reconcile(&mut world);
    let asleep = (json!(0), vec![new_secret("r-1")]);
    assert_eq!(replicas_and_ring(&world), asleep);
    assert_eq!(names(&world.plan()), Vec::<&str>::new());
}

#[test]
fn its_job_is_the_one_that_the_class_would_have_made() {
    let class: Value = serde_json::from_str(RICH).unwrap();
    let mut world = known().class(&class).running();
    reconcile(&mut world);
    let mut world = settled(world).spec(&json!({ "encryption": { "rotation": { "id": "r-1" } } }));
    reconcile(&mut world);
    let mut world = settled(world);
    let job_of = |world: &mut World| {
        reconcile(world);
        assert_eq!(phase(world), Some(Phase::Running));
        let job = world.0.rotating.jobs.pop();
        serde_json::to_value(job.unwrap()).unwrap()
    };
    let with_class = job_of(&mut world);
    let without = job_of(&mut world.classes([]));
    assert_eq!(without, with_class);
    let image = without.pointer("/spec/template/spec/containers/0/image");
    assert_eq!(image, Some(&json!("registry.example.com/engine:1")));
}

#[test]
fn a_rotation_that_has_not_stopped_the_engine_waits_for_the_class() {
    let mut world = asked(&json!({ "id": "r-1" })).classes([]);
    let before = world.0.children.clone();
    assert_eq!(reconcile(&mut world), []);
    assert_eq!(reasons(&world), ("ClassNotFound", "RotationPending"));
    assert_eq!(world.0.children, before);
    assert_eq!(phase(&world), None);
}

#[test]
fn without_a_rotation_nothing_is_changed_by_a_guess() {
    let world = asked(&json!({ "id": "r-1" })).classes([]);
    assert_eq!(names(&world.plan()), Vec::<&str>::new());
    // A wish of the spec's own needs none: but for its replicas, the StatefulSet stays.
    let mut world = world.suspended();
    let before = world.0.children.clone();
    assert_eq!(names(&world.plan()), ["StatefulSet"]);
    reconcile(&mut world);
    for (id, live) in &world.0.children {
        let mut live = live.clone();
        if id.kind == ChildKind::StatefulSet {
            assert_eq!(live.data["spec"]["replicas"], 0);
            live.data["spec"]["replicas"] = json!(1);
        }
        assert_eq!(live.data, before[id].data);
    }
}

#[test]
fn a_statefulset_of_a_former_engine_tells_nothing() {
    let mut world = running(&json!({ "id": "r-1" })).classes([]);
    for child in world.0.children.values_mut() {
        for owner in child.metadata.owner_references.iter_mut().flatten() {
            owner.uid = "former".to_owned();
        }
    }
    assert!(world.assess().kept.is_none());
    assert!(!names(&world.plan()).contains(&"StatefulSet"));
}
