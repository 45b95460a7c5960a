//! Something is asked for that the class does not allow: what runs stays as it is, and what does not is not started.

use super::rotating::{
    built, certificate, job_pod, known, new_secret, old_secret, phase, reconcile,
    replicas_and_ring, running, settled, stateful_set,
};
use super::*;
use crate::cluster::drift::drifted;

const OTHER: &str = "registry.example.com/other:1";

fn template(world: &World) -> Value {
    world.0.children[&stateful_set()].data["spec"]["template"].clone()
}

fn image(template: &Value) -> &Value {
    &template["spec"]["containers"][0]["image"]
}

fn outside(world: World) -> World {
    world.spec(&json!({ "image": OTHER }))
}

/// Its user thinks better of it.
fn back(world: World) -> World {
    world.spec(&json!({ "image": null }))
}

#[test]
fn an_engine_that_runs_is_neither_changed_nor_given_what_the_class_has() {
    let allowed = json!({ "allowedImages": ["registry.example.com/"], "maxResources": { "cpu": "4", "memory": "1Gi" } });
    let own = json!({ "image": OTHER, "resources": { "limits": { "memory": "1Gi" } } });
    let world = built(known().class(&allowed).spec(&own).running());
    assert_eq!(image(&template(&world)), OTHER);
    let before = world.0.children[&stateful_set()].clone();
    for narrower in [
        json!({ "maxResources": { "cpu": "4", "memory": "1Gi" } }),
        json!({ "allowedImages": ["registry.example.com/"], "logLevel": "debug" }),
        json!({}),
    ] {
        let world = built(known().class(&allowed).spec(&own).running()).class(&narrower);
        assert!(world.assess().class.holds());
        assert_eq!(
            child(&world.plan(), ChildKind::StatefulSet),
            None,
            "{narrower}"
        );
        assert!(child(&world.plan(), ChildKind::NetworkPolicy).is_some());
    }
    // The class allows it again: what runs is what is asked for.
    let wanted = world.plan();
    let wanted = child(&wanted, ChildKind::StatefulSet).unwrap();
    assert!(!drifted(&before, wanted));
}

#[test]
fn what_is_asked_for_is_applied_once_it_is_within_the_bounds() {
    let world = outside(built(known().running()));
    assert_eq!(child(&world.plan(), ChildKind::StatefulSet), None);
    let world = world.class(&json!({ "allowedImages": [OTHER] }));
    let plan = world.plan();
    let set = child(&plan, ChildKind::StatefulSet).unwrap();
    assert_eq!(image(&set["spec"]["template"]), OTHER);
}

/// A pod that is made anew, on another node or after an accident, mounts what its template says.
#[test]
fn the_certificate_authorities_that_the_pod_mounts_stay_where_it_finds_them() {
    let ca = json!({ "ca.crt": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n" });
    let trusting = json!({ "tls": { "caConfigMap": "roots" } });
    let world = known().class(&trusting).config_map("roots", &ca).running();
    let world = outside(built(world)).class(&json!({}));
    let plan = world.plan();
    let settings = child(&plan, ChildKind::ConfigMap).unwrap();
    assert_eq!(settings["data"]["ca.crt"], ca["ca.crt"]);
}

#[test]
fn an_engine_that_is_suspended_stops_as_it_is() {
    let mut world = outside(built(known().running())).suspended();
    let before = template(&world);
    reconcile(&mut world);
    assert_eq!(replicas_and_ring(&world).0, json!(0));
    assert_eq!(template(&world), before);
    let world = settled(world);
    assert_eq!(world.assess().ready().reason.as_str(), "Suspended");
    assert_eq!(child(&world.plan(), ChildKind::StatefulSet), None);
}

#[test]
fn one_that_was_stopped_is_not_started_until_it_is_mended() {
    let mut world = outside(built(known().suspended())).spec(&json!({ "suspended": false }));
    reconcile(&mut world);
    assert_eq!(replicas_and_ring(&world).0, json!(0));
    let ready = world.assess().ready().clone();
    assert_eq!(
        (ready.reason.as_str(), ready.severity),
        ("ImageNotAllowed", Severity::Blocked)
    );
    let mut world = back(world);
    reconcile(&mut world);
    assert_eq!(replicas_and_ring(&world).0, json!(1));
}

#[test]
fn one_that_was_never_born_is_not() {
    assert_eq!(names(&outside(world()).plan()), Vec::<&str>::new());
    assert_eq!(names(&back(outside(world())).plan()), ["MintKey"]);
}

#[test]
fn one_whose_pod_was_never_made_gets_none() {
    let plan = outside(known()).plan();
    assert_eq!(child(&plan, ChildKind::StatefulSet), None);
}

/// A key that somebody has must not wait until somebody else may have an image.
#[test]
fn its_key_is_changed_all_the_same_by_the_image_that_runs() {
    let allowed = known().class(&json!({ "allowedImages": [OTHER] }));
    let rotation = json!({ "encryption": { "rotation": { "id": "r-1" } } });
    let world = built(outside(allowed).running()).class(&json!({}));
    let mut world = world.spec(&rotation);
    let before = template(&world);
    reconcile(&mut world);
    let both = vec![old_secret(), new_secret("r-1")];
    assert_eq!(replicas_and_ring(&world), (json!(0), both));
    let mut world = settled(world);
    assert!(world.assess().class.holds(), "it comes back by itself");
    reconcile(&mut world);
    assert_eq!(
        phase(&world),
        Some(userengine_rotation::ledger::Phase::Running)
    );
    let job = serde_json::to_value(&world.0.rotating.jobs[0]).unwrap();
    assert_eq!(image(&job["spec"]["template"]), OTHER);
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Succeeded", "", &verdict);
    reconcile(&mut world);
    let alone = vec![new_secret("r-1")];
    assert_eq!(replicas_and_ring(&world), (json!(1), alone));
    assert_eq!(image(&template(&world)), image(&before));
}

#[test]
fn a_rotation_that_has_stopped_the_engine_brings_it_back_as_it_was() {
    let mut world = outside(running(&json!({ "id": "r-1" })));
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Succeeded", "", &verdict);
    reconcile(&mut world);
    let alone = vec![new_secret("r-1")];
    assert_eq!(replicas_and_ring(&world), (json!(1), alone));
    let world = settled(world);
    assert_eq!(world.assess().class.reason.as_str(), "ImageNotAllowed");
    assert_eq!(world.assess().ready().reason.as_str(), "AsExpected");
}

/// Asleep, beyond the bounds since, and resumed by its user while its rotation has a Job.
fn resumed_in_its_rotation(class: &Value) -> World {
    let allowed = json!({ "allowedImages": [OTHER] });
    let mut world = outside(built(known().running().class(&allowed))).suspended();
    reconcile(&mut world);
    world = settled(world).class(class);
    world = world.spec(&json!({ "encryption": { "rotation": { "id": "r-1" } } }));
    reconcile(&mut world);
    world = settled(world);
    reconcile(&mut world);
    assert_eq!(
        phase(&world),
        Some(userengine_rotation::ledger::Phase::Running)
    );
    world = world.spec(&json!({ "suspended": false }));
    reconcile(&mut world);
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Succeeded", "", &verdict);
    reconcile(&mut world);
    world
}

#[test]
fn a_rotation_of_one_that_slept_does_not_start_it_beyond_its_bounds() {
    let mut world = resumed_in_its_rotation(&json!({}));
    assert_eq!(replicas_and_ring(&world).0, json!(0));
    let ready = world.assess().ready().clone();
    assert_eq!(ready.reason.as_str(), "ImageNotAllowed");
    assert!(ready.message.contains("not started"), "{}", ready.message);
    world = world.class(&json!({ "allowedImages": [OTHER] }));
    reconcile(&mut world);
    let alone = vec![new_secret("r-1")];
    assert_eq!(replicas_and_ring(&world), (json!(1), alone));
}

#[test]
fn a_rotation_of_one_that_slept_starts_it_within_its_bounds() {
    let world = resumed_in_its_rotation(&json!({ "allowedImages": [OTHER] }));
    let alone = vec![new_secret("r-1")];
    assert_eq!(replicas_and_ring(&world), (json!(1), alone));
}

#[test]
fn one_that_waits_for_its_turn_keeps_its_pod_and_gets_all_else() {
    let mut world = built(known().running()).class(&json!({ "logLevel": "debug" }));
    assert!(child(&world.plan(), ChildKind::StatefulSet).is_some());
    world.0.waits_behind = Some(3);
    assert_eq!(child(&world.plan(), ChildKind::StatefulSet), None);
    assert!(child(&world.plan(), ChildKind::NetworkPolicy).is_some());
    // Its pod went for a reason of its own, or is to go: nothing is spared by waiting.
    let fallen = World(Observed {
        pod: None,
        ..world.0
    });
    assert!(child(&fallen.plan(), ChildKind::StatefulSet).is_some());
    let asleep = child(&fallen.suspended().running().plan(), ChildKind::StatefulSet).cloned();
    assert_eq!(asleep.unwrap()["spec"]["replicas"], 0);
}

#[test]
fn what_is_within_the_bounds_makes_another_pod() {
    let allowed =
        json!({ "allowedImages": [OTHER], "maxResources": { "cpu": "4", "memory": "1Gi" } });
    let before = template(&built(known().class(&allowed).running()));
    for own in [
        json!({ "image": OTHER }),
        json!({ "resources": { "limits": { "cpu": "4" } } }),
    ] {
        let mut changed = built(known().class(&allowed).running()).spec(&own);
        reconcile(&mut changed);
        assert_ne!(template(&changed), before, "{own}");
        assert_eq!(replicas_and_ring(&changed).0, json!(1));
    }
}
