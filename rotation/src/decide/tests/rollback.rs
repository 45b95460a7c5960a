//! Going back to a key, and going on after a rotation that was given up.

use super::*;

/// `r-2`, which goes from `b` back to `a`, with its Job running.
fn going_back(mut engine: Engine, to: char) -> Engine {
    engine.request = Some(go_back("r-2", to));
    assert_eq!(engine.write(), [News::Opened(id("r-2"))]);
    engine.target = Target::Usable(kid(to));
    assert_eq!(engine.write(), [News::Quiescing(kid(to))]);
    engine.stops();
    engine.write();
    engine
}

#[test]
fn a_rollback_is_a_rotation_to_a_key_that_was_kept() {
    let mut engine = going_back(Engine::rotated(), 'a');
    assert_eq!(engine.states(), "a:staged b:active");
    assert_eq!(engine.ledger.from(), [kid('b')]);
    engine.job = certified("r-2", 'a');
    engine.write();
    assert_eq!(engine.states(), "a:active b:withheld");
}

#[test]
fn a_rollback_that_wrote_nothing_leaves_the_key_as_it_was() {
    let mut engine = Engine::rotated();
    engine.now += 100;
    let before = engine.ledger.key(&kid('a')).cloned();
    let mut engine = going_back(engine, 'a');
    engine.job = refused(RefusalReason::RowsUnreadable, false, Some('b'));
    engine.write();
    assert_eq!(
        engine.ledger.key(&kid('a')),
        before.as_ref(),
        "with the time it is kept"
    );

    let mut engine = going_back(Engine::torn(), 'b');
    engine.job = refused(RefusalReason::RowsUnreadable, false, Some('a'));
    engine.write();
    assert_eq!(
        engine.states(),
        "a:active b:staged",
        "values may lie under it"
    );
}

#[test]
fn says_when_a_rollback_is_no_longer_possible() {
    let mut destroying = Engine::rotated();
    destroying.now += 200 * HOUR;
    destroying.proven_unused = vec![kid('a')];
    destroying.write();
    assert_eq!(destroying.states(), "a:destroying b:active");
    for (mut engine, to, words) in [
        (Engine::rotated(), 'f', "no longer possible"),
        (destroying, 'a', "no longer possible"),
        (Engine::rotated(), 'b', "the active one"),
    ] {
        engine.request = Some(go_back("r-2", to));
        for held_back in [true, false] {
            let mut engine = Engine {
                held_back,
                ..engine.clone()
            };
            assert!(matches!(engine.write()[..], [News::Rejected(_)]));
            assert_eq!(engine.outcome(), Outcome::Rejected);
            assert!(engine.why().contains(words), "{}", engine.why());
            assert_eq!(engine.wish().queued, None, "and consumed");
        }
    }
}

#[test]
fn refuses_to_go_back_to_a_secret_that_is_gone_or_holds_another_key() {
    for target in [Target::Absent, Target::Unusable, Target::Usable(kid('c'))] {
        let mut engine = Engine::rotated();
        engine.request = Some(go_back("r-2", 'a'));
        engine.write();
        engine.target = target;
        engine.write();
        assert_eq!(engine.outcome(), Outcome::Refused);
        assert_eq!(engine.states(), "a:withheld b:active");
    }
}

#[test]
fn after_one_that_was_given_up_the_next_starts_from_every_key_of_the_ring() {
    let mut engine = Engine::torn();
    engine.request = Some(ask("r-2"));
    engine.write();
    engine.target = Target::Usable(kid('c'));
    engine.write();
    assert_eq!(engine.ledger.from(), [kid('a'), kid('b')]);
    assert_eq!(engine.wish().ring.len(), 3);
    engine.stops();
    engine.write();
    engine.job = certified("r-2", 'c');
    engine.write();
    assert_eq!(engine.states(), "a:withheld b:withheld c:active");
}
