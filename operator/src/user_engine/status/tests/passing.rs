//! What need not be told of a pod that was made just now.

use super::*;

/// Whether what would be told of a pod of this age that has come this far, with this status told before, passes by in a moment.
fn passes(told: Option<UserEngineStatus>, age: i64, far: impl Fn(World) -> World) -> bool {
    let mut world = far(alive()).created("2026-06-01T12:00:00Z");
    Arc::get_mut(&mut world.0.engine).unwrap().status = told;
    let claim = world.0.claim.as_mut().unwrap();
    claim
        .metadata
        .creation_timestamp
        .get_or_insert(Time(noon()));
    world.0.now = noon() + SignedDuration::from_secs(age);
    let left = look(&world).0;
    assert!(left.is_none_or(|left| left <= Duration::from_secs(4)));
    left.is_some()
}

/// How long what this look would tell passes by, and what it would tell.
fn look(world: &World) -> (Option<Duration>, UserEngineStatus) {
    let report = Report {
        observed: &world.0,
        assessment: &world.assess(),
        trouble: None,
        version: None,
        now: world.0.now,
    };
    let mut status = report.status();
    status.settled = Some("other".to_owned());
    let left = report.passing(&status);
    (left, status)
}

fn starts(world: World) -> World {
    let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
    world.container(&creating, &json!({}))
}

#[test]
fn how_far_a_new_pod_has_come_is_told_if_it_takes_longer() {
    let first = || Some(status(&alive().claim_phase("Pending")));
    assert!(passes(first(), 0, starts));
    assert!(passes(first(), 3, starts), "it may have taken two seconds");
    assert!(!passes(first(), 4, starts), "it takes longer");
    assert!(!passes(first(), -1, starts), "the clock is behind");
}

#[test]
fn that_an_engine_begins_is_told_if_it_takes_longer() {
    let first = UserEngineStatus {
        phase: Some(Phase::Pending),
        ..UserEngineStatus::default()
    };
    for untold in [None, Some(first)] {
        assert!(passes(untold.clone(), 3, starts));
        assert!(!passes(untold.clone(), 4, starts), "it takes longer");
        assert!(!passes(untold.clone(), 1, World::running));
        assert!(!passes(untold.clone(), 1, |world| starts(world).paused()));
        assert!(!passes(untold, 1, |world| starts(world).suspended()));
    }
}

#[test]
fn an_engine_that_has_no_pod_yet_has_nothing_to_tell_for_a_minute_unless_something_is_in_the_way() {
    let waited = |seconds: i64, far: fn(World) -> World| {
        let created = Some(Time(noon()));
        let mut world = far(alive());
        world.0.now = noon() + SignedDuration::from_secs(seconds);
        world
            .engine(|engine| engine.metadata.creation_timestamp.clone_from(&created))
            .claim(|claim| claim.metadata.creation_timestamp = created)
    };
    let left = |world: World| look(&world).0.map(|left| left.as_secs());
    assert_eq!(left(waited(20, |world| world)), Some(40));
    assert_eq!(left(waited(60, |world| world)), None);
    let made = |engine, claim| {
        let at = |seconds| Some(Time(noon() - SignedDuration::from_secs(seconds)));
        waited(20, |world| world)
            .engine(|made| made.metadata.creation_timestamp = at(engine))
            .claim(|made| made.metadata.creation_timestamp = at(claim))
    };
    assert_eq!(left(made(300, 0)), Some(40), "its turn came late");
    assert_eq!(left(made(0, 300)), Some(40), "it took its claim over");
    let unbound = |world: World| world.claim_phase("Pending");
    assert_eq!(left(waited(3, unbound)), Some(1));
    assert_eq!(left(waited(4, unbound)), None, "it waits for its volume");
    let told = status(&waited(1, |world| world));
    let told = waited(1, |world| world).engine(|engine| engine.status = Some(told));
    assert_eq!(left(told), None);
}

#[test]
fn an_engine_whose_claim_was_asked_for_just_now_is_new() {
    let asked = |waited: i64, told: Option<UserEngineStatus>| {
        let mut world = world().with_key();
        let engine = Arc::get_mut(&mut world.0.engine).unwrap();
        engine.metadata.creation_timestamp = Some(Time(noon()));
        engine.status = told;
        world.0.now = noon() + SignedDuration::from_secs(waited);
        let (passing, status) = look(&world);
        assert_eq!(status.phase, Some(Phase::Pending));
        (passing, status)
    };
    for waited in [0, 1000] {
        let passing = asked(waited, None).0;
        assert_eq!(passing, Some(Duration::from_secs(4)), "after {waited} s");
    }
    let (_, status) = asked(0, None);
    assert_eq!(asked(0, Some(status)).0, None, "it is told already");
}

#[test]
fn what_a_new_pod_comes_to_is_told_at_once() {
    let first = || Some(status(&alive().claim_phase("Pending")));
    let refusal = r#"{"reason":"BrainCorrupt","message":"damaged"}"#;
    assert!(!passes(first(), 1, World::running));
    assert!(!passes(first(), 1, |world| world.ended(refusal)));
    assert!(!passes(first(), 1, |world| starts(world).suspended()));
    assert!(!passes(first(), 1, |world| starts(world).paused()));
    let changed = |world| starts(world).engine(|engine| engine.metadata.generation = Some(9));
    assert!(!passes(first(), 1, changed));
}
