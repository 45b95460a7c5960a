//! The table: it holds with every guard, and fails without each. `cargo test -p userengine-rotation --test model --
//! --nocapture` prints the counts.

use std::collections::BTreeSet;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model as _, Path};

use crate::guards::Guard;
use crate::properties::{ACCOUNTED, FRESH, KEYS_EXIST, MUST_HOLD, ONCE, STARTABLE};
use crate::scenario::Model;

/// A rotation.
fn one() -> Model {
    Model::asking(&[None])
}

/// A rotation, and another one.
fn on() -> Model {
    Model::asking(&[None, None])
}

/// A rotation, and back to the first key.
fn back() -> Model {
    Model::asking(&[None, Some(0)])
}

/// A rotation, and once more to its key, if it did not get there.
fn again() -> Model {
    Model::asking(&[None, Some(1)])
}

/// A rotation, once more to its key, and back to the first one.
fn to_and_fro() -> Model {
    Model::asking(&[None, Some(1), Some(0)]).refreshes(0)
}

/// Explores all of it. Nothing that must hold may fail, and everything named must come about somewhere: a check that
/// never gets there shows nothing.
fn holds(name: &str, model: Model, comes_about: &[&'static str]) {
    let start = Instant::now();
    let checker = model.checker().threads(2).spawn_bfs().join();
    let (states, steps) = (checker.unique_state_count(), checker.state_count());
    let (deep, seconds) = (checker.max_depth(), start.elapsed().as_secs_f32());
    println!("holds: {name}: {states} states, {steps} transitions, {deep} deep, {seconds:.1} s");
    for property in MUST_HOLD {
        let failure = checker.discovery(property).map(Path::into_actions);
        assert!(failure.is_none(), "{name}: {property}: {failure:#?}");
    }
    for end in comes_about {
        assert!(checker.discovery(end).is_some(), "{name}: never {end}");
    }
}

/// Explores until this property fails.
fn fails(without: Guard, model: Model, property: &'static str) {
    let until = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let model = model.without(without);
    let checker = model
        .checker()
        .threads(2)
        .finish_when(until)
        .spawn_bfs()
        .join();
    let states = checker.unique_state_count();
    let path = checker.discovery(property);
    let steps = path.map(|path| path.into_actions().len());
    println!("fails without {without:?}: {property}: after {steps:?} steps, {states} states");
    assert!(steps.is_some(), "holds without {without:?}");
}

const GIVEN_UP: &str = "given up, with both keys in the ring";
const PUT_BACK: &str = "put back as it was";
const CERTIFIED: &str = "certified";
const SECOND: &str = "the second request is certified too";
const DESTROYED: &str = "a key is destroyed";

#[test]
fn holds_with_every_guard() {
    let ends = [CERTIFIED, GIVEN_UP, PUT_BACK, DESTROYED];
    let both = [CERTIFIED, SECOND, GIVEN_UP, PUT_BACK, DESTROYED];
    holds("one rotation, 3 faults", one().faults(3), &ends);
    holds("two rotations", on(), &both);
    holds("a rotation and a rollback", back(), &both);
    holds("a rotation and another try of its key", again(), &both);
    holds(
        "two rotations of a suspended engine",
        on().suspended(),
        &both,
    );
    holds("three requests, back and forth", to_and_fro(), &both);
    let kept = [CERTIFIED, GIVEN_UP, PUT_BACK];
    holds("a row that is set aside", one().setting_aside(), &kept);
}

#[test]
fn fails_without_each_guard() {
    fails(Guard::CompareAndSwap, one(), FRESH);
    fails(Guard::EpochFence, back(), STARTABLE);
    fails(Guard::VerifyBeforeWithhold, one(), STARTABLE);
    fails(Guard::ReadBackBeforeStaging, one(), STARTABLE);
    fails(Guard::PodsGone, one(), FRESH);
    fails(Guard::NoPodCanCome, one(), STARTABLE);
    fails(Guard::WriteKeyFence, one(), STARTABLE);
    fails(Guard::ProofBeforeDestroy, one().setting_aside(), KEYS_EXIST);
    fails(Guard::RecordBeforeMint, on(), ACCOUNTED);
    fails(Guard::ConsumedIds, one(), ONCE);
    fails(Guard::DoubtAfterSilence, one().faults(2), STARTABLE);
    fails(Guard::LaterOrder, to_and_fro(), STARTABLE);
    fails(Guard::Gate, back(), STARTABLE);
}

/// More faults.
#[test]
#[ignore = "takes minutes"]
fn holds_with_more_faults() {
    holds("one rotation, 5 faults", one().faults(5), &[CERTIFIED]);
    holds(
        "a rotation and a rollback, 2 faults",
        back().faults(2),
        &[SECOND],
    );
    holds(
        "a rotation and another try of its key, 2 faults",
        again().faults(2),
        &[SECOND],
    );
    holds("two rotations, 2 faults", on().faults(2), &[SECOND]);
}
