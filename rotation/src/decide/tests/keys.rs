//! The end of a key.

use super::*;

const KEPT: i64 = 168 * HOUR;

/// After a rotation because somebody may have the key.
fn compromised() -> Engine {
    let mode = Mode::Compromised;
    let mut engine = Engine::asked(Request { mode, ..ask("r-1") });
    engine.write();
    engine.target = Target::Usable(kid('b'));
    engine.write();
    engine.stops();
    engine.write();
    engine.job = certified("r-1", 'b');
    engine.write();
    Engine {
        ledger: engine.ledger,
        request: engine.request,
        ..Engine::new()
    }
}

#[test]
fn a_retired_key_is_kept_for_its_time() {
    let mut engine = Engine {
        proven_unused: vec![kid('a')],
        ..Engine::rotated()
    };
    engine.now += KEPT - 1;
    let wish = engine.wish();
    assert_eq!(
        (wish.look_again, wish.prove, wish.destroy),
        (Some(1), vec![], vec![])
    );
    engine.now += 1;
    assert_eq!(engine.write(), [News::Destroying(kid('a'))]);
}

#[test]
fn a_compromised_key_is_not() {
    let mut engine = compromised();
    assert_eq!(engine.states(), "a:compromised b:active");
    assert_eq!(engine.wish().prove, [kid('a')]);
    engine.proven_unused = vec![kid('a')];
    assert_eq!(engine.write(), [News::Destroying(kid('a'))]);
}

#[test]
fn no_key_is_destroyed_without_fresh_proof() {
    for proven_unused in [vec![], vec![kid('b')], vec![kid('f')]] {
        for time in [KEPT, 100 * KEPT] {
            let mut engine = Engine {
                proven_unused: proven_unused.clone(),
                ..Engine::rotated()
            };
            engine.now += time;
            let wish = engine.wish();
            assert_eq!(
                (wish.prove, wish.destroy, wish.look_again),
                (vec![kid('a')], vec![], None)
            );
        }
    }
}

#[test]
fn no_key_of_the_ring_is_ever_destroyed() {
    let mut engine = Engine {
        proven_unused: vec![kid('a'), kid('b')],
        ..Engine::torn()
    };
    engine.now += 100 * KEPT;
    assert_eq!(engine.wish().destroy, Vec::<String>::new());
}

#[test]
fn destruction_is_recorded_before_it_is_done_and_forgotten_after() {
    let mut engine = Engine {
        proven_unused: vec![kid('a')],
        ..compromised()
    };
    assert!(
        matches!(engine.decide(), Decision::Write(..)),
        "recorded first"
    );
    engine.write();
    assert_eq!(engine.wish().destroy, [suffix("initial")]);
    engine.gone = vec![kid('a'), kid('b')];
    assert_eq!(engine.write(), [News::Destroyed(kid('a'))]);
    assert_eq!(engine.states(), "b:active");
}

#[test]
fn what_is_being_destroyed_goes_on_while_a_rotation_is_open() {
    let mut engine = Engine {
        proven_unused: vec![kid('a')],
        ..compromised()
    };
    engine.write();
    engine.request = Some(ask("r-2"));
    engine.write();
    assert_eq!(engine.wish().destroy, [suffix("initial")]);
    engine.gone = vec![kid('a')];
    assert_eq!(engine.write(), [News::Destroyed(kid('a'))]);
}

#[test]
fn no_destruction_begins_while_a_rotation_is_open() {
    let mut engine = compromised();
    engine.request = Some(ask("r-2"));
    engine.write();
    engine.proven_unused = vec![kid('a')];
    assert_eq!(engine.wish().destroy, Vec::<String>::new());
}

#[test]
fn a_key_that_somebody_asks_to_go_back_to_is_spared() {
    let mut engine = Engine {
        proven_unused: vec![kid('a')],
        ..compromised()
    };
    engine.request = Some(go_back("r-2", 'a'));
    engine.held_back = true;
    assert_eq!(engine.wish().queued, Some(id("r-2")));
}

#[test]
fn the_way_back_to_a_compromised_key_ends_as_any_other() {
    let mut engine = compromised();
    engine.request = Some(go_back("r-2", 'a'));
    engine.write();
    engine.target = Target::Usable(kid('a'));
    engine.write();
    engine.now += 1_000;
    engine.write();
    assert_eq!(engine.states(), "a:compromised b:active");
}
