//! A pause: nothing is changed, but for what a rotation has to bring back first.

use userengine_rotation::ledger::Phase;

use super::rotating::{
    asked, built, certificate, job_pod, known, ledger, new_secret, old_secret, phase, reconcile,
    replicas_and_ring, running, settled,
};
use super::*;

const NOTHING: [&str; 0] = [];

/// What a platform, a user and an accident may do to an engine that serves.
fn changed(world: World) -> World {
    let mut world = world
        .class(&json!({ "image": "registry.example.com/engine:2", "storage": { "maxSize": "4Gi" } }))
        .spec(&json!({
            "storage": { "size": "2Gi" }, "suspended": true, "encryption": { "rotation": { "id": "r-9" } },
        }));
    world.0.api_key = ApiKeySecret::Absent;
    world
        .0
        .children
        .retain(|id, _| id.kind != ChildKind::Service);
    world
}

fn end_of_pause(world: World) -> World {
    world.engine(|engine| engine.metadata.annotations = None)
}

#[test]
fn nothing_is_changed_while_it_lasts_and_everything_once_it_is_over() {
    let world = changed(asked(&json!({ "id": "r-9" }))).paused();
    assert!(names(&changed(asked(&json!({ "id": "r-9" }))).plan()).len() > 1);
    assert_eq!(world.plan(), Plan::default());
    let mut world = end_of_pause(world);
    reconcile(&mut world);
    assert_eq!(replicas_and_ring(&world).0, json!(0));
    let services = world.0.children.keys();
    let services = services.filter(|id| id.kind == ChildKind::Service);
    assert_eq!(services.count(), 2);
}

#[test]
fn an_engine_is_told_as_it_is_and_not_as_it_was_asked_to_be_meanwhile() {
    let serves = built(known().running());
    let asked = serves.spec(&json!({ "suspended": true })).paused();
    assert!(asked.assess().engine.holds());
    let asleep = built(known().suspended());
    let asked = asleep.spec(&json!({ "suspended": false })).paused();
    assert_eq!(asked.assess().engine.severity, Severity::Idle);
}

#[test]
fn a_birth_waits_as_well_and_the_engine_is_held_so_that_its_deletion_is_as_it_asks() {
    assert_eq!(names(&unheld().paused().plan()), ["Hold"]);
    assert_eq!(names(&unheld().plan()), ["Hold", "MintKey"]);
}

#[test]
fn a_rotation_that_has_not_stopped_the_engine_stays_where_it_is_and_goes_on_afterwards() {
    let mut world = asked(&json!({ "id": "r-1" }));
    let opened = world.plan();
    carry_all_out(&mut world, &opened.steps);
    assert_eq!(phase(&world), Some(Phase::Minting));
    let mut world = world.paused();
    assert_eq!(reconcile(&mut world), []);
    assert_eq!(phase(&world), Some(Phase::Minting));
    let mut world = end_of_pause(world);
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Quiescing));
}

#[test]
fn one_that_is_asked_for_waits_and_says_so() {
    let mut world = asked(&json!({ "id": "r-1" })).paused();
    assert_eq!(reconcile(&mut world), []);
    let said = world.assess().encryption;
    assert_eq!(said.reason.as_str(), "RotationPending");
    assert!(said.message.contains("paused"), "{}", said.message);
}

#[test]
fn one_that_has_stopped_the_engine_comes_to_its_end_first() {
    let mut world = asked(&json!({ "id": "r-1" }));
    reconcile(&mut world);
    let mut world = settled(world).paused();
    reconcile(&mut world);
    assert_eq!(phase(&world), Some(Phase::Running));
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Succeeded", "", &verdict);
    let mut world = world.spec(&json!({ "encryption": { "rotation": { "id": "r-2" } } }));
    reconcile(&mut world);
    let back = (json!(1), vec![new_secret("r-1")]);
    assert_eq!(replicas_and_ring(&world), back);
    assert!(world.0.rotating.jobs.is_empty(), "its Job went");
    assert_eq!(
        phase(&world),
        None,
        "the next one waits for the end of the pause"
    );
    let mut world = settled(world);
    assert!(world.assess().paused.holds());
    world.0.api_key = ApiKeySecret::Absent;
    assert_eq!(names(&world.plan()), NOTHING);
}

/// The ring that it ends with is the one that it had while the engine was stopped: only the note on the StatefulSet tells
/// that there is something to bring back.
#[test]
fn an_engine_that_keeps_both_keys_is_brought_back_before_the_pause_as_well() {
    let mut world = running(&json!({ "id": "r-1" })).paused();
    let refusal = json!({ "reason": "InventoryChanged", "message": "they differ" });
    let refused =
        json!({ "refused": { "refusal": refusal, "write_kid": key(1).kid(), "touched": true } });
    job_pod(&mut world, "Failed", "", &refused.to_string());
    // Whoever stops between the record of the end and the StatefulSet.
    let ends = world.plan();
    carry_all_out(&mut world, &ends.steps);
    assert_eq!(phase(&world), None);
    assert_eq!(world.assess().paused.reason.as_str(), "PausePending");
    reconcile(&mut world);
    let both = vec![old_secret(), new_secret("r-1")];
    assert_eq!(replicas_and_ring(&world), (json!(1), both));
    assert_eq!(ledger(&world).keys.len(), 2);
    assert!(settled(world).assess().paused.holds());
}

#[test]
fn an_engine_that_was_suspended_is_not_woken_by_a_change_during_the_pause() {
    let mut world = built(known().suspended())
        .paused()
        .spec(&json!({ "suspended": false }));
    reconcile(&mut world);
    assert_eq!(replicas_and_ring(&world).0, json!(0));
    let mut world = end_of_pause(world);
    reconcile(&mut world);
    assert_eq!(replicas_and_ring(&world).0, json!(1));
}

#[test]
fn a_suspended_engine_that_rotated_is_at_rest_when_the_pause_begins() {
    let mut world = running(&json!({ "id": "r-1" })).suspended().paused();
    let verdict = certificate(&world, "r-1");
    job_pod(&mut world, "Succeeded", "", &verdict);
    reconcile(&mut world);
    let asleep = (json!(0), vec![new_secret("r-1")]);
    assert_eq!(replicas_and_ring(&world), asleep);
    assert!(world.assess().paused.holds());
}
