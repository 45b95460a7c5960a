mod passing;

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;
use userengine_api::labels;
use userengine_api::status::ApiKeyInfo;

use super::*;
use crate::user_engine::fixtures::{self, World, record, world};
use crate::user_engine::observed::ApiKeySecret;

fn alive() -> World {
    world().claimed().with_key()
}

fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn status_at(
    world: &World,
    now: Timestamp,
    trouble: Option<&Finding>,
    version: Option<&str>,
) -> UserEngineStatus {
    let assessment = world.assess();
    Report {
        observed: &world.0,
        assessment: &assessment,
        trouble,
        version,
        now,
    }
    .status()
}

fn status(world: &World) -> UserEngineStatus {
    status_at(world, noon(), None, None)
}

fn ready(status: &UserEngineStatus) -> &Condition {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready")
        .unwrap()
}

/// The next look at the same world, with the status that was written.
fn with(world: World, status: UserEngineStatus) -> World {
    let World(mut seen) = world;
    Arc::get_mut(&mut seen.engine).unwrap().status = Some(status);
    World(seen)
}

#[test]
fn a_phase_is_one_word_for_the_whole() {
    let refusal = r#"{"reason":"BrainCorrupt","message":"damaged"}"#;
    let cases = vec![
        (world(), Phase::Pending),
        (world().with_key(), Phase::Pending),
        (world().classes([]), Phase::Blocked),
        (world().had_storage(), Phase::Blocked),
        (alive().claim_phase("Pending"), Phase::Starting),
        (alive(), Phase::Starting),
        (alive().running(), Phase::Ready),
        (alive().ended("killed"), Phase::Starting),
        (alive().ended(refusal), Phase::Blocked),
        (
            alive().ended(r#"{"reason":"BrainLocked","message":"another"}"#),
            Phase::Starting,
        ),
        (alive().running().suspended(), Phase::Suspending),
        (alive().suspended(), Phase::Suspended),
        (alive().claim_phase("Pending").suspended(), Phase::Suspended),
        (world().claimed().running(), Phase::Blocked),
        (world().claimed().claim_phase("Pending"), Phase::Blocked),
        (
            alive()
                .running()
                .spec(&json!({ "storage": { "size": "9Gi" } })),
            Phase::Ready,
        ),
    ];
    for (world, phase) in cases {
        let status = status(&world);
        assert_eq!(status.phase, Some(phase), "{:?}", ready(&status));
        assert_eq!(ready(&status).status == "True", phase == Phase::Ready);
    }
}

#[test]
fn a_whole_status_of_a_running_engine() {
    let world = alive()
        .class(&json!({ "publicURL": "https://{name}.{namespace}.engines.example.com" }))
        .running();
    insta::assert_yaml_snapshot!("running", status_at(&world, noon(), None, Some("0.1.0")));
}

#[test]
fn a_whole_status_of_a_blocked_engine() {
    insta::assert_yaml_snapshot!("blocked", status(&world().claimed().running()));
}

/// An engine that is stopped for a rotation, two of whose three values are sealed anew.
fn rotating() -> World {
    let World(mut seen) = fixtures::rotating("Running");
    let record = fixtures::rotating_record("Running");
    let open = record.ledger.open.as_ref().unwrap();
    let job = json!({ "metadata": { "name": build::job_name("alice", &record, open) } });
    seen.rotating.jobs = vec![serde_json::from_value(job).unwrap()];
    let progress = json!({ "rotation": "r-1", "step": "migrating", "done": 2, "total": 3 });
    seen.rotating.progress = Some(serde_json::from_value(progress).unwrap());
    World(seen)
}

#[test]
fn a_whole_status_of_an_engine_that_rotates() {
    let status = status(&rotating());
    assert_eq!(status.phase, Some(Phase::Rotating));
    insta::assert_yaml_snapshot!("rotating", status);
}

#[test]
fn the_image_that_verified_is_told_and_remembered_for_its_rotation() {
    let image = |status: &UserEngineStatus| {
        let encryption = status.encryption.as_ref().unwrap();
        encryption.rotation.as_ref().unwrap().image_id.clone()
    };
    let World(mut seen) = rotating();
    let job = seen.rotating.jobs[0].name_any();
    let pod_of = |job: &str, id: &str| {
        let container = json!({
            "name": "verify", "image": "", "imageID": id, "ready": true, "restartCount": 0, "state": {},
        });
        json!({
            "metadata": { "labels": { "batch.kubernetes.io/job-name": job } },
            "status": { "containerStatuses": [container] },
        })
    };
    let pods = [pod_of("another", "sha256:1"), pod_of(&job, "")];
    seen.rotating.pods = pods.map(|pod| serde_json::from_value(pod).unwrap()).into();
    let before = status(&World(seen));
    assert_eq!(image(&before), None, "not started yet");

    let World(mut seen) = with(rotating(), before);
    seen.rotating.pods = vec![serde_json::from_value(pod_of(&job, "sha256:2")).unwrap()];
    let verifying = status(&World(seen));
    assert_eq!(image(&verifying).as_deref(), Some("sha256:2"));

    let gone = status(&with(rotating(), verifying.clone()));
    assert_eq!(image(&gone), image(&verifying));
    let mut of_another = verifying;
    let encryption = of_another.encryption.as_mut().unwrap();
    encryption.rotation.as_mut().unwrap().id = "r-0".to_owned();
    assert_eq!(image(&status(&with(rotating(), of_another))), None);
}

#[test]
fn how_far_a_rotation_is_stays_shown_while_nobody_answers_or_the_next_container_begins() {
    let after = |id: &str, phase: &str, step: Option<&str>| {
        let mut before = status(&rotating());
        let said = before.encryption.as_mut().unwrap().rotation.as_mut();
        let said = said.unwrap();
        (said.id, said.phase) = (id.to_owned(), phase.to_owned());
        (said.done, said.total) = (Some(7), Some(9));
        let World(mut seen) = with(rotating(), before);
        let progress =
            step.map(|step| json!({ "rotation": "r-1", "step": step, "done": 0, "total": 9 }));
        seen.rotating.progress = progress.map(|progress| serde_json::from_value(progress).unwrap());
        let now = status(&World(seen));
        let said = now.encryption.unwrap().rotation.unwrap();
        (said.phase, said.done.zip(said.total))
    };
    for step in ["Checking", "Migrating", "Verifying"] {
        assert_eq!(after("r-1", step, None), (step.to_owned(), Some((7, 9))));
    }
    let migrating = ("Migrating".to_owned(), Some((7, 9)));
    assert_eq!(after("r-1", "Migrating", Some("opening")), migrating);
    let verifying = ("Verifying".to_owned(), Some((0, 9)));
    assert_eq!(after("r-1", "Migrating", Some("verifying")), verifying);
    let anew = ("Checking".to_owned(), None);
    assert_eq!(after("r-1", "Retrying", None), anew, "another attempt");
    assert_eq!(after("r-0", "Migrating", None), anew, "another rotation");
}

#[test]
fn an_engine_that_rotates_in_its_sleep_is_shown_to_rotate() {
    let asleep = status(&rotating().suspended());
    assert_eq!(asleep.phase, Some(Phase::Rotating));
}

#[test]
fn the_node_is_remembered_while_the_engine_is_away_for_a_rotation_and_no_longer() {
    let served = status(&alive().running());
    let away = status(&with(rotating(), served.clone()));
    assert_eq!(away.node.as_deref(), Some("node-1"));
    assert_eq!(status(&with(alive(), served)).node, None);
}

#[test]
fn every_condition_is_there_in_every_situation() {
    for world in [
        world(),
        world().classes([]),
        alive().running(),
        alive().suspended(),
    ] {
        let types: Vec<_> = status(&world)
            .conditions
            .into_iter()
            .map(|condition| condition.type_)
            .collect();
        assert_eq!(
            types,
            ConditionType::ALL.map(|kind| kind.as_str().to_owned())
        );
    }
}

#[test]
fn the_second_look_at_a_quiet_engine_writes_nothing() {
    let later = noon() + SignedDuration::from_hours(1);
    for make in [
        world,
        alive,
        || alive().running(),
        || alive().suspended(),
        || world().claimed(),
        || world().had_storage(),
    ] {
        let first = status(&make());
        let second = status_at(&with(make(), first.clone()), later, None, None);
        // A status that names a volume makes its absence a loss; none of these loses one.
        assert_eq!(second, first);
    }
}

#[test]
fn the_time_of_a_transition_changes_with_the_conditions_status_only() {
    let later = noon() + SignedDuration::from_hours(1);
    let starting = status(&alive());
    let still = status_at(
        &with(alive().ended("killed"), starting.clone()),
        later,
        None,
        None,
    );
    assert_ne!(ready(&still).message, ready(&starting).message);
    assert_eq!(ready(&still).last_transition_time, Time(noon()));
    let serves = status_at(&with(alive().running(), still), later, None, None);
    assert_eq!(ready(&serves).last_transition_time, Time(later));
    let storage = serves
        .conditions
        .iter()
        .find(|condition| condition.type_ == "StorageReady")
        .unwrap();
    assert_eq!(storage.last_transition_time, Time(noon()));
}

#[test]
fn what_stood_in_the_way_of_the_plan_is_shown_unless_the_engine_is_blocked_already() {
    let trouble = Finding::blocked(
        Reason::ChildNotOurs,
        "Service 'alice' belongs to somebody else",
    );
    let shown = status_at(&alive().running(), noon(), Some(&trouble), None);
    assert_eq!(
        (shown.phase, ready(&shown).reason.as_str()),
        (Some(Phase::Blocked), "ChildNotOurs")
    );
    assert_eq!(ready(&shown).message, trouble.message);
    let blocked = status_at(&world().claimed(), noon(), Some(&trouble), None);
    assert_eq!(ready(&blocked).reason, "KeyMissing");
}

#[test]
fn what_is_known_of_the_brain_is_not_forgotten_while_it_is_away() {
    let known = status(&alive().running());
    let away = status(&with(world().classes([]), known.clone()));
    assert_eq!(away.class_name.as_deref(), Some("standard"));
    assert_eq!(
        (away.storage, away.encryption),
        (known.storage, known.encryption)
    );
    assert_eq!((away.node, away.engine), (None, None));
}

#[test]
fn it_speaks_of_the_generation_that_was_seen() {
    let status = status(&alive().engine(|engine| engine.metadata.generation = Some(7)));
    assert_eq!(status.observed_generation, Some(7));
    assert!(
        status
            .conditions
            .iter()
            .all(|condition| condition.observed_generation == Some(7))
    );
}

#[test]
fn during_a_pause_it_speaks_of_the_generation_that_was_acted_on_last() {
    let generation =
        |world: World, number| world.engine(|engine| engine.metadata.generation = Some(number));
    let before = status(&generation(alive().running(), 7));
    let paused = status(&with(generation(alive().running().paused(), 8), before));
    assert_eq!(paused.observed_generation, Some(7));
    for condition in &paused.conditions {
        let of_the_pause = condition.type_ == "Paused";
        let spoken_of = if of_the_pause { 8 } else { 7 };
        assert_eq!(condition.observed_generation, Some(spoken_of));
        assert!(!of_the_pause || condition.status == "True");
    }
    let after = status(&with(generation(alive().running(), 8), paused));
    assert_eq!(after.observed_generation, Some(8));
}

#[test]
fn another_users_brain_is_not_shown() {
    let bob = crate::record::Record {
        user: "bob".to_owned(),
        ..record()
    };
    let status = status(&world().claimed_with(&bob).with_key());
    assert_eq!(
        (status.phase, status.encryption),
        (Some(Phase::Blocked), None)
    );
}

/// What the status says of an API key whose Secret remembers this, while `r-2` is asked for.
fn of_api_key(record: &str) -> ApiKeyInfo {
    let asked = json!({ "apiKey": { "rotationId": "r-2", "overlap": "60s" } });
    let World(mut seen) = alive().with_api_key().running().spec(&asked);
    if let ApiKeySecret::Ours(secret) = &mut seen.api_key {
        secret.record = serde_json::from_str(record).unwrap();
    }
    status(&World(seen)).api_key.unwrap_or_default()
}

#[test]
fn a_rotation_of_the_api_key_is_done_once_nothing_of_it_is_left_to_do() {
    let over = r#""done":"r-1","consumed":["5e3b6a3e56"]"#;
    let open = |open: &str| of_api_key(&format!(r#"{{{over},"open":{{"id":"r-2",{open}}}}}"#));
    let words = |info: ApiKeyInfo| (info.rotation_id.unwrap(), info.phase.unwrap(), info.message);
    let expected = |phase: &str, message: &str| {
        let message = format!("rotation r-2: {message}");
        ("r-1".to_owned(), phase.to_owned(), message)
    };
    assert_eq!(
        words(open(r#""phase":"Publishing""#)),
        expected("Publishing", "the engine is to accept the next key")
    );
    assert_eq!(
        words(open(r#""phase":"Overlapping","since":60,"former":"cd""#)),
        expected(
            "Overlapping",
            "the former key is accepted until 1970-01-01T00:02:00Z"
        )
    );
    assert_eq!(
        words(open(r#""phase":"Retiring""#)),
        expected("Retiring", "the engine is to forget the former key")
    );
    let done = of_api_key(r#"{"done":"r-2"}"#);
    assert_eq!((done.phase, done.message), (None, String::new()));
    assert_eq!(done.rotation_id.as_deref(), Some("r-2"));
    assert_eq!(of_api_key("{}"), ApiKeyInfo::default(), "nothing to tell");
    let other = of_api_key(r#"{"open":{"id":"r-1","phase":"Retiring"}}"#);
    assert!(other.message.ends_with("; then rotation r-2 begins"));
}

#[test]
fn a_record_that_cannot_be_read_takes_no_brain_back() {
    let world = alive().had_storage().engine(|engine| {
        let storage = engine.status.as_mut().unwrap().storage.as_mut();
        storage.unwrap().initialised = true;
    });
    let unreadable = world.claim(|claim| {
        claim.annotations_mut().remove(labels::KEYS);
    });
    let told = status(&unreadable).storage.unwrap();
    assert!(told.initialised, "{told:?}");
}
