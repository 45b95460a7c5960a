//! A rotation from its request to the key's end.

use super::*;

#[test]
fn a_rotation_passes_through_every_phase_and_ends_with_its_certificate() {
    let mut engine = Engine::asked(ask("r-1"));
    assert_eq!(engine.write(), [News::Opened(id("r-1"))]);
    assert_eq!(engine.open().suffix, suffix("r-1"));

    let wish = engine.wish();
    assert_eq!(wish.mint, Some(suffix("r-1")));
    assert_eq!((wish.stopped, wish.ring), (false, vec![suffix("initial")]));

    engine.target = Target::Usable(kid('b'));
    assert_eq!(engine.write(), [News::Quiescing(kid('b'))]);
    assert_eq!(engine.states(), "a:active b:staged");

    let wish = engine.wish();
    assert_eq!((wish.stopped, wish.job), (true, None));
    assert_eq!(wish.ring, [suffix("initial"), suffix("r-1")]);

    engine.stops();
    assert_eq!(engine.write(), [News::Started { attempt: 1 }]);
    let wish = engine.wish();
    assert_eq!(
        (wish.stopped, wish.job, wish.clear_jobs),
        (true, Some(1), false)
    );
    assert_eq!(engine.ledger.from(), [kid('a')]);

    engine.job = certified("r-1", 'b');
    let news = engine.write();
    let last = engine.ledger.last.clone().unwrap();
    assert_eq!(last.certificate, Some(certificate("r-1", 'b')));
    assert_eq!(news, [News::Ended(Box::new(last))]);
    assert_eq!(engine.outcome(), Outcome::Certified);
    assert_eq!(engine.states(), "a:withheld b:active");

    let wish = engine.wish();
    assert_eq!((wish.stopped, wish.clear_jobs), (false, true));
    assert_eq!(wish.ring, [suffix("r-1")]);
}

#[test]
fn the_key_of_a_new_rotation_is_recorded_before_it_is_minted_and_staged_after_it_was_read_back() {
    let engine = Engine::asked(ask("r-1"));
    assert!(
        matches!(engine.decide(), Decision::Write(..)),
        "recorded first"
    );
    let engine = Engine::rotating(Phase::Minting);
    assert_eq!(engine.wish().mint, Some(suffix("r-1")));
    assert_eq!(engine.states(), "a:active", "not staged yet");
}

#[test]
fn every_look_at_what_has_not_changed_wishes_the_same() {
    for phase in [
        Phase::Minting,
        Phase::Quiescing,
        Phase::Running,
        Phase::Clearing,
    ] {
        let engine = Engine::rotating(phase);
        assert_eq!(engine.wish(), engine.wish());
    }
    assert_eq!(Engine::rotated().wish(), Engine::rotated().wish());
}

#[test]
fn a_request_that_went_from_the_spec_is_carried_to_its_end() {
    let mut engine = Engine::rotating(Phase::Minting);
    engine.request = None;
    engine.target = Target::Usable(kid('b'));
    engine.write();
    engine.stops();
    engine.write();
    engine.job = certified("r-1", 'b');
    engine.write();
    assert_eq!(engine.outcome(), Outcome::Certified);
}

#[test]
fn a_quiet_engine_is_left_alone() {
    let ring = vec![suffix("initial")];
    assert_eq!(
        Engine::new().wish(),
        Wish {
            ring,
            ..Wish::default()
        }
    );
}
