//! Births, crashes and what keeps a whole engine whole.

mod api_keys;
mod bounds;
mod catalog;
mod classless;
mod combinations;
mod destroys;
mod initialised;
mod lost_nodes;
mod pauses;
mod pods;
mod rotates;
mod rotating;

use std::sync::Arc;

use kube::ResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::cluster::drift::covers;
use crate::user_engine::child::ChildKind;
use crate::user_engine::fixtures::{
    UID, World, api_key, holding, key, key_secret, record, suffix, world,
};
use crate::user_engine::observed::{ApiKeySecret, OurApiKey};

fn unheld() -> World {
    world().engine(|engine| engine.metadata.finalizers = None)
}

fn alive() -> World {
    world().claimed().with_key().with_api_key()
}

fn names(plan: &Plan) -> Vec<&'static str> {
    plan.steps
        .iter()
        .map(|step| match step {
            Step::Hold => "Hold",
            Step::MintKey { .. } => "MintKey",
            Step::Claim(_) => "Claim",
            Step::AmendClaim(_) => "AmendClaim",
            Step::GrowClaim { .. } => "GrowClaim",
            Step::HoldKey { .. } => "HoldKey",
            Step::MintApiKey => "MintApiKey",
            Step::MendApiKey => "MendApiKey",
            Step::TurnApiKey(_) => "TurnApiKey",
            Step::Apply(child) => child.id.kind.as_str(),
            Step::Nudge(_) => "Nudge",
            Step::RunJob(_) => "RunJob",
            Step::DeleteJob { .. } => "DeleteJob",
            Step::DeletePod { .. } => "DeletePod",
            Step::DestroyKey { .. } => "DestroyKey",
        })
        .collect()
}

const CHILDREN: [&str; 7] = [
    "NetworkPolicy",
    "ServiceAccount",
    "ConfigMap",
    "ConfigMap",
    "Service",
    "Service",
    "StatefulSet",
];

fn child(plan: &Plan, kind: ChildKind) -> Option<&Value> {
    plan.steps.iter().find_map(|step| match step {
        Step::Apply(child) if child.id.kind == kind => Some(&child.object),
        _ => None,
    })
}

fn amendments(plan: &Plan) -> Vec<&Value> {
    plan.steps
        .iter()
        .filter_map(|step| {
            if let Step::AmendClaim(patch) | Step::GrowClaim { patch, .. } = step {
                Some(patch)
            } else {
                None
            }
        })
        .collect()
}

/// Does to the world what `apply` and the API server would do to the cluster.
fn carry_out(World(seen): &mut World, step: &Step) {
    match step {
        Step::Hold => {
            let engine = Arc::get_mut(&mut seen.engine).unwrap();
            engine
                .metadata
                .finalizers
                .get_or_insert_default()
                .push(labels::ENGINE_FINALIZER.to_owned());
        }
        Step::MintKey { name, database_id } => {
            assert_eq!(database_id, UID);
            let suffix = name.rsplit('-').next().unwrap().to_owned();
            let number = u8::try_from(seen.keys.len() + 1).unwrap();
            let secret = holding(Ok(key(number).kid()));
            let before = seen.keys.insert(suffix, secret);
            assert!(
                before.is_none_or(|before| before == KeySecret::Absent),
                "a second key of one name"
            );
        }
        Step::Claim(claim) => {
            assert!(seen.claim.is_none(), "a second claim");
            let mut claim = claim.clone();
            json_patch::merge(
                &mut claim,
                &json!({ "metadata": { "resourceVersion": "1" }, "status": { "phase": "Bound" } }),
            );
            seen.claim = Some(serde_json::from_value(*claim).unwrap());
        }
        Step::AmendClaim(patch) | Step::GrowClaim { patch, .. } => {
            let mut claim = serde_json::to_value(&seen.claim).unwrap();
            assert_eq!(
                patch["metadata"]["resourceVersion"],
                claim["metadata"]["resourceVersion"]
            );
            json_patch::merge(&mut claim, patch);
            claim["metadata"]["resourceVersion"] = json!(format!(
                "{}1",
                claim["metadata"]["resourceVersion"].as_str().unwrap()
            ));
            seen.claim = Some(serde_json::from_value(claim).unwrap());
        }
        Step::HoldKey { .. } => {
            seen.keys.insert(suffix(), key_secret());
        }
        Step::MintApiKey | Step::MendApiKey => {
            seen.api_key = ApiKeySecret::Ours(Box::new(api_key()));
        }
        Step::TurnApiKey(change) => api_keys::turn(seen, change),
        Step::Nudge(patch) => {
            let mut pod = serde_json::to_value(&seen.pod).unwrap();
            json_patch::merge(&mut pod, patch);
            seen.pod = Some(serde_json::from_value(pod).unwrap());
        }
        Step::RunJob(job) => {
            let job = serde_json::from_value(*job.clone()).unwrap();
            seen.rotating.jobs.push(job);
        }
        Step::DeleteJob { name, .. } => {
            seen.rotating.jobs.retain(|job| job.name_any() != *name);
            seen.rotating.pods.clear();
        }
        Step::DeletePod { name, .. } => {
            let pods = &mut seen.rotating.pods;
            match pods.iter().position(|pod| pod.name_any() == *name) {
                Some(of_a_job) => drop(pods.remove(of_a_job)),
                None => seen.pod = None,
            }
        }
        Step::DestroyKey { name, .. } => {
            let suffix = name.rsplit('-').next().unwrap().to_owned();
            seen.keys.insert(suffix, KeySecret::Absent);
        }
        Step::Apply(child) => apply(seen, child),
    }
}

/// Writes what differs, as `apply` does; the status stays, and speaks of the generation before.
fn apply(seen: &mut Observed, child: &Child) {
    let live = seen.children.get(&child.id);
    let before = live.map(|live| serde_json::to_value(live).unwrap());
    if before
        .as_ref()
        .is_some_and(|before| covers(before, &child.object))
    {
        return;
    }
    let mut wanted = child.object.clone();
    if let Some(before) = before {
        let generation = before["metadata"]["generation"].as_i64();
        wanted["metadata"]["generation"] = json!(generation.map(|generation| generation + 1));
        wanted["status"] = before["status"].clone();
    }
    let wanted = serde_json::from_value(wanted).unwrap();
    seen.children.insert(child.id.clone(), wanted);
}

fn carry_all_out(world: &mut World, steps: &[Step]) {
    for step in steps {
        carry_out(world, step);
    }
}

#[test]
fn a_birth_is_a_key_then_a_claim_that_names_it_then_the_rest() {
    let mut world = unheld();
    let first = world.plan();
    assert_eq!(
        (names(&first), first.again),
        (vec!["Hold", "MintKey"], true)
    );
    carry_all_out(&mut world, &first.steps);

    let second = world.plan();
    assert_eq!((names(&second), second.again), (vec!["Claim"], true));
    carry_all_out(&mut world, &second.steps);
    assert_eq!(world.0.record(), Some(Ok(record())));

    let third = world.plan();
    assert_eq!(
        (names(&third), third.again),
        ([&["MintApiKey"], CHILDREN.as_slice()].concat(), false)
    );
    carry_all_out(&mut world, &third.steps);
    assert_eq!(names(&world.plan()), CHILDREN);
}

/// Carries out `steps` steps, forgets the rest of the plan, and goes on from what is there.
fn crash_after(steps: usize) -> World {
    let mut world = unheld();
    let mut left = steps;
    for _ in 0..8 {
        let plan = world.plan();
        let done: Vec<_> = if left > 0 {
            plan.steps.into_iter().take(left).collect()
        } else {
            plan.steps
        };
        left = left.saturating_sub(done.len());
        carry_all_out(&mut world, &done);
    }
    world
}

#[test]
fn a_birth_that_crashes_after_any_step_comes_to_the_same_with_one_key() {
    let whole = crash_after(usize::MAX);
    for steps in 1..=11 {
        let World(seen) = crash_after(steps);
        assert_eq!(seen.keys, whole.0.keys, "after {steps}");
        assert_eq!(seen.record(), Some(Ok(record())), "after {steps}");
        assert_eq!(seen.children, whole.0.children, "after {steps}");
    }
}

#[test]
fn a_claim_that_lost_its_finalizer_or_labels_gets_them_back() {
    let stripped = alive().claim(|claim| {
        claim.metadata.finalizers = Some(vec!["kubernetes.io/pvc-protection".to_owned()]);
        claim.metadata.labels = None;
    });
    let plan = stripped.plan();
    let metadata = &amendments(&plan)[0]["metadata"];
    assert_eq!(
        metadata["finalizers"],
        json!(["kubernetes.io/pvc-protection", labels::CLAIM_FINALIZER])
    );
    assert_eq!(metadata["labels"][labels::ENGINE], "alice");
    assert_eq!(metadata["resourceVersion"], "7");
}

fn sized(size: &str) -> World {
    alive()
        .class(&json!({ "storage": { "maxSize": "3Gi" } }))
        .spec(&json!({ "storage": { "size": size } }))
}

#[test]
fn a_volume_grows_upward_within_the_classes_bound_and_last_of_all() {
    let plan = sized("2Gi").plan();
    assert_eq!(names(&plan), [CHILDREN.as_slice(), &["GrowClaim"]].concat());
    assert_eq!(
        amendments(&plan)[0],
        &json!({ "metadata": { "resourceVersion": "7" }, "spec": { "resources": { "requests": { "storage": "2Gi" } } } })
    );
    for size in ["1Gi", "1024Mi", "512Mi", "4Gi"] {
        assert_eq!(names(&sized(size).plan()), CHILDREN, "{size}");
    }
}

#[test]
fn a_volume_that_is_not_bound_does_not_grow_for_the_api_server_would_refuse_it() {
    assert_eq!(names(&sized("2Gi").claim_phase("Pending").plan()), CHILDREN);
}

#[test]
fn a_record_is_amended_before_and_apart_from_a_growth() {
    let mut world = sized("2Gi").claim(|claim| claim.metadata.finalizers = None);
    let first = world.plan();
    assert_eq!((amendments(&first).len(), first.again), (1, true));
    assert_eq!(amendments(&first)[0].get("spec"), None);
    carry_all_out(&mut world, &first.steps);
    let second = world.plan();
    assert_eq!((amendments(&second).len(), second.again), (1, false));
    assert_eq!(
        amendments(&second)[0]["spec"]["resources"]["requests"]["storage"],
        "2Gi"
    );
}

#[test]
fn an_api_key_is_made_mended_or_left_alone() {
    let with = |secret| {
        let mut world = alive();
        world.0.api_key = secret;
        names(&world.plan())
            .into_iter()
            .find(|name| name.ends_with("ApiKey"))
    };
    let ours = |key_hash: Option<&str>, hashes: &str| {
        ApiKeySecret::Ours(Box::new(OurApiKey {
            key_hash: key_hash.map(str::to_owned),
            hashes: hashes.to_owned(),
            ..api_key()
        }))
    };
    assert_eq!(with(ApiKeySecret::Absent), Some("MintApiKey"));
    assert_eq!(with(ours(None, "ab")), Some("MintApiKey"));
    assert_eq!(with(ours(Some("ab"), "cd")), Some("MendApiKey"));
    assert_eq!(with(ours(Some("ab"), "ab")), None);
    assert_eq!(with(ApiKeySecret::Foreign), None);
    assert_eq!(with(ApiKeySecret::Former), None);
}

#[test]
fn nothing_is_planned_twice_when_nothing_is_left_to_do() {
    let mut world = crash_after(usize::MAX).running();
    let steps = world.plan().steps;
    carry_all_out(&mut world, &steps);
    let plan = world.plan();
    assert_eq!(names(&plan), CHILDREN);
    for step in &plan.steps {
        let Step::Apply(child) = step else {
            panic!("{step:?}")
        };
        assert!(covers(
            &serde_json::to_value(&world.0.children[&child.id]).unwrap(),
            &child.object
        ));
    }
}
