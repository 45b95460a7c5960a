//! How a catalog reaches a pod that runs.

use serde_json::{Value, json};

use super::*;
use crate::user_engine::fixtures::catalog_written;

fn servers() -> Value {
    json!({ "servers.json": "[]" })
}

/// An engine that runs, with a catalog.
fn served(files: &Value) -> World {
    alive()
        .class(&json!({ "catalog": { "configMap": "servers" } }))
        .config_map("servers", files)
        .running()
}

fn catalog(plan: &Plan) -> Option<&Value> {
    plan.steps.iter().find_map(|step| match step {
        Step::Apply(child) if child.id.name == "alice-catalog" => Some(&child.object["data"]),
        _ => None,
    })
}

fn nudges(plan: &Plan) -> usize {
    names(plan).iter().filter(|name| **name == "Nudge").count()
}

#[test]
fn a_catalog_is_copied_beside_the_engine_and_the_kubelet_is_told_once() {
    let mut world = served(&servers());
    let first = world.plan();
    assert_eq!(catalog(&first), Some(&servers()));
    assert_eq!(
        names(&first).last(),
        Some(&"Nudge"),
        "after the copy, not before"
    );
    carry_all_out(&mut world, &first.steps);
    assert_eq!(nudges(&world.plan()), 0);

    let edited = json!({ "servers.json": "[1]", "more.json": "[]" });
    world.0.platform.clear();
    let mut world = world.config_map("servers", &edited);
    let second = world.plan();
    assert_eq!((catalog(&second), nudges(&second)), (Some(&edited), 1));
    carry_all_out(&mut world, &second.steps);
    assert_eq!(nudges(&world.plan()), 0);
}

#[test]
fn a_pod_that_was_born_with_its_catalog_costs_no_write() {
    for (written, nudged) in [("08:59:59", 0), ("09:00:00", 0), ("09:00:01", 1)] {
        let world = served(&servers());
        let world = catalog_written(world, &format!("2026-01-01T{written}Z"));
        assert_eq!(
            nudges(&world.created("2026-01-01T09:00:00Z").plan()),
            nudged,
            "{written}"
        );
    }
}

#[test]
fn a_pod_that_goes_is_told_nothing() {
    let going = served(&servers()).going();
    assert_eq!(nudges(&going.plan()), 0);
    assert_eq!(nudges(&alive().plan()), 0, "there is no pod");
}

#[test]
fn a_catalog_that_cannot_be_handed_on_leaves_the_copy_as_it_is() {
    let mut world = served(&servers());
    let steps = world.plan().steps;
    carry_all_out(&mut world, &steps);
    for broken in [None, Some(json!({ "servers.json": "[" }))] {
        world.0.platform.clear();
        if let Some(files) = broken {
            world = world.config_map("servers", &files);
        }
        let plan = world.plan();
        assert_eq!((catalog(&plan), nudges(&plan)), (None, 0));
    }
    // A copy that is missing is made, empty: without it the pod would not start.
    world.0.platform.clear();
    world.0.children.clear();
    assert_eq!(catalog(&world.plan()), Some(&json!({})));
}

#[test]
fn a_class_that_drops_its_catalog_empties_the_copy() {
    let mut world = served(&servers());
    let steps = world.plan().steps;
    carry_all_out(&mut world, &steps);
    let plan = world.class(&json!({})).plan();
    assert_eq!((catalog(&plan), nudges(&plan)), (Some(&json!({})), 1));
}
