//! A key that was rotated away from is destroyed, once it is seen that nothing needs it.

use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::Job;
use userengine_api::condition::Reason;
use userengine_rotation::decide::News;
use userengine_rotation::ledger::KeyState;

use super::rotating::*;
use super::*;

/// A suspended engine whose first key left the ring when there was no time, and whose class keeps no key.
fn asleep_with_a_retired_key() -> World {
    let mut record = initialised();
    record.ledger.keys[0].state = KeyState::Withheld { since: 0 };
    record.ledger.keys.push(Key {
        kid: key(2).kid(),
        state: KeyState::Active,
        suffix: "0123456789".to_owned(),
    });
    let mut world = world()
        .claimed_with(&record)
        .with_key()
        .with_api_key()
        .class(&json!({ "keys": { "retainRetired": "0s" } }))
        .suspended();
    let secret = holding(Ok(key(2).kid()));
    world.0.keys.insert("0123456789".to_owned(), secret);
    let plan = world.plan();
    let children = plan
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Apply(_)));
    let children: Vec<_> = children.cloned().collect();
    carry_all_out(&mut world, &children);
    settled(world)
}

/// The proof's Job ended with these words.
fn proven(world: &mut World, verdict: &Value) {
    let job = world.plan().steps.into_iter().find_map(|step| match step {
        Step::RunJob(job) => Some(*job),
        _ => None,
    });
    let job: Job = serde_json::from_value(job.unwrap()).unwrap();
    world.0.rotating.jobs = vec![job.clone()];
    job_pod(world, "Succeeded", "", &verdict.to_string());
    world.0.proving.pods = std::mem::take(&mut world.0.rotating.pods);
    world.0.rotating.jobs.clear();
    world.0.proving.jobs = vec![job];
}

fn verified(quarantined: &Value) -> Value {
    json!({ "verified": {
        "database_id": UID, "kid": key(2).kid(), "rows": 3, "quarantined": quarantined, "at": "2026-01-01T00:00:00Z",
    } })
}

#[test]
fn suspended_is_not_said_while_the_job_of_the_proof_has_the_volume() {
    let mut world = asleep_with_a_retired_key();
    assert_eq!(world.assess().engine.reason, Reason::Suspended);
    proven(&mut world, &json!({}));
    for (phase, expected) in [
        ("Pending", Reason::Stopping),
        ("Running", Reason::Stopping),
        ("Succeeded", Reason::Suspended),
    ] {
        let status = world.0.proving.pods[0].status.as_mut().unwrap();
        status.phase = Some(phase.to_owned());
        assert_eq!(world.assess().engine.reason, expected, "{phase}");
    }
}

/// So many seconds ago the proof's Job failed, and its pod said this.
fn failed(world: &mut World, seconds: i64, verdict: &Value) {
    proven(world, verdict);
    let at = world.0.now - SignedDuration::from_secs(seconds);
    let failed =
        json!({ "conditions": [{ "type": "Failed", "status": "True", "lastTransitionTime": at }] });
    world.0.proving.jobs[0].status = Some(serde_json::from_value(failed).unwrap());
}

#[test]
fn a_proof_that_came_to_nothing_by_chance_is_tried_for_again_after_a_while() {
    let refused = |reason: &str| {
        let refusal = json!({ "reason": reason, "message": "no" });
        json!({ "refused": { "refusal": refusal, "write_kid": null, "touched": false } })
    };
    for (said, seconds, again) in [
        (json!({}), 599, false),
        (json!({}), 600, true),
        (refused("StorageFailed"), 600, true),
        (refused("BrainLocked"), 600, true),
        (refused("RowsUnreadable"), 100_000, false),
        (
            verified(&json!({ key(1).kid().to_string(): 1 })),
            100_000,
            false,
        ),
    ] {
        let mut world = asleep_with_a_retired_key();
        failed(&mut world, seconds, &said);
        let plan = world.plan();
        assert_eq!(
            names(&plan).contains(&"DeleteJob"),
            again,
            "{said} {plan:?}"
        );
        carry_all_out(&mut world, &plan.steps);
        if again {
            world.0.proving = crate::user_engine::observed::Rotating::default();
            assert!(names(&world.plan()).contains(&"RunJob"));
        }
    }
}

#[test]
fn a_rotation_does_not_wait_for_the_job_of_a_proof() {
    let mut world = asleep_with_a_retired_key();
    proven(&mut world, &json!({}));
    let status = world.0.proving.pods[0].status.as_mut().unwrap();
    status.phase = Some("Pending".to_owned());
    let request = json!({ "encryption": { "rotation": { "id": "r-2", "mode": "Compromised" } } });
    let plan = world.spec(&request).plan();
    assert!(
        matches!(plan.news.as_slice(), [News::Opened(id)] if id.as_str() == "r-2"),
        "{plan:?}"
    );
}

#[test]
fn a_key_of_an_engine_that_sleeps_is_destroyed_once_a_job_has_opened_everything_without_it() {
    let mut world = asleep_with_a_retired_key();
    proven(&mut world, &verified(&json!({})));
    let destroying = world.plan();
    assert!(
        matches!(destroying.news.as_slice(), [News::Destroying(kid)] if *kid == key(1).kid()),
        "{destroying:?}"
    );
    carry_all_out(&mut world, &destroying.steps);
    let plan = world.plan();
    assert!(names(&plan).contains(&"DestroyKey"), "{plan:?}");
    assert!(names(&plan).contains(&"DeleteJob"), "the proof's Job goes");
    carry_all_out(&mut world, &plan.steps);
    assert_eq!(reconcile(&mut world), [News::Destroyed(key(1).kid())]);
    assert_eq!(ledger(&world).keys.len(), 1);
}

#[test]
fn a_value_in_quarantine_keeps_its_key() {
    let mut world = asleep_with_a_retired_key();
    let kid = key(1).kid().to_string();
    proven(&mut world, &verified(&json!({ kid: 1 })));
    assert_eq!(world.plan().news, []);
}

#[test]
fn a_hold_that_comes_after_the_proof_counts_all_the_same() {
    let mut world = asleep_with_a_retired_key();
    proven(&mut world, &verified(&json!({})));
    let KeySecret::Present { on_hold, .. } = world.0.keys.get_mut(&suffix()).unwrap() else {
        panic!("no key")
    };
    *on_hold = true;
    assert_eq!(world.plan().news, []);
}

#[test]
fn a_hold_that_comes_when_there_is_no_way_back_counts_as_well() {
    let mut world = asleep_with_a_retired_key();
    proven(&mut world, &verified(&json!({})));
    let steps = world.plan().steps;
    carry_all_out(&mut world, &steps);
    assert!(names(&world.plan()).contains(&"DestroyKey"));
    let KeySecret::Present { on_hold, .. } = world.0.keys.get_mut(&suffix()).unwrap() else {
        panic!("no key")
    };
    *on_hold = true;
    let plan = world.plan();
    assert!(!names(&plan).contains(&"DestroyKey"), "{plan:?}");
    assert_eq!(plan.news, []);
}

#[test]
fn a_key_on_hold_is_not_even_asked_about() {
    let mut world = asleep_with_a_retired_key();
    let KeySecret::Present { on_hold, .. } = world.0.keys.get_mut(&suffix()).unwrap() else {
        panic!("no key")
    };
    *on_hold = true;
    assert!(!names(&world.plan()).contains(&"RunJob"));
}

#[test]
fn an_engine_that_serves_says_itself_what_it_does_without() {
    let mut world = asleep_with_a_retired_key().spec(&json!({ "suspended": false }));
    let plan = world.plan();
    assert!(!names(&plan).contains(&"RunJob"), "{plan:?}");
    carry_all_out(&mut world, &plan.steps);
    let mut world = settled(world);
    assert!(world.assess().rotation.unwrap().wants_proof);
    let answer = json!({
        "version": "1", "write_kid": key(2).kid(), "held_kids": [key(2).kid()], "rows_by_kid": {},
        "last_verify": { "kid": key(2).kid() },
    });
    world.0.proof = Some(serde_json::from_value(answer).unwrap());
    assert!(matches!(
        world.plan().news.as_slice(),
        [News::Destroying(_)]
    ));
    // The StatefulSet was written again, and who knows what its controller still does.
    let live = world.0.children.get_mut(&stateful_set()).unwrap();
    live.metadata.generation = live.metadata.generation.map(|generation| generation + 1);
    assert_eq!(world.plan().news, []);
}
