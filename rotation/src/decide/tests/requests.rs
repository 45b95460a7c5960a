//! Which requests are taken up, and how often.

use super::*;

#[test]
fn an_id_is_carried_out_once() {
    let engine = Engine::rotated();
    assert_eq!(engine.request, Some(ask("r-1")));
    assert_eq!(engine.wish().queued, None);
}

#[test]
fn an_old_id_that_comes_back_is_satisfied_already() {
    let mut engine = Engine::rotated();
    engine.request = Some(ask("r-2"));
    engine.write();
    engine.target = Target::Usable(kid('c'));
    engine.write();
    engine.request = Some(ask("r-1"));
    assert_eq!(engine.wish().queued, None);
    engine.stops();
    engine.write();
    engine.job = certified("r-2", 'c');
    engine.write();
    assert_eq!(
        engine.wish().queued,
        None,
        "r-2 went on, r-1 does not come again"
    );
}

#[test]
fn an_id_that_is_there_when_the_brain_is_born_is_satisfied() {
    let mut engine = Engine {
        initialised: false,
        ..Engine::asked(ask("r-1"))
    };
    assert_eq!(engine.write(), [News::Satisfied(id("r-1"))]);
    engine.initialised = true;
    assert_eq!(engine.wish().queued, None);
}

#[test]
fn reserved_ids_are_rejected_in_requests() {
    for reserved in ["initial", "age-aaaaaaaaaaaaaaaa"] {
        for initialised in [true, false] {
            let mut engine = Engine {
                initialised,
                ..Engine::asked(ask(reserved))
            };
            assert!(matches!(engine.write()[..], [News::Rejected(_)]));
            assert_eq!(engine.outcome(), Outcome::Rejected);
            assert!(engine.why().contains("reserved"));
            assert_eq!(engine.wish().queued, None, "and consumed");
        }
    }
}

#[test]
fn the_clock_may_ask_under_such_an_id() {
    let due = Some(ask("age-aaaaaaaaaaaaaaaa"));
    let mut engine = Engine {
        due,
        ..Engine::new()
    };
    assert_eq!(engine.write(), [News::Opened(id("age-aaaaaaaaaaaaaaaa"))]);
}

#[test]
fn a_brain_that_was_never_ready_does_not_age() {
    let due = Some(ask("age-aaaaaaaaaaaaaaaa"));
    let engine = Engine {
        due,
        initialised: false,
        ..Engine::new()
    };
    assert!(!engine.wish().stopped);
}

#[test]
fn a_person_comes_before_the_clock() {
    let due = Some(ask("age-aaaaaaaaaaaaaaaa"));
    let mut engine = Engine {
        due,
        ..Engine::asked(ask("r-1"))
    };
    assert_eq!(engine.write(), [News::Opened(id("r-1"))]);
    assert_eq!(
        engine.wish().queued,
        None,
        "and the clock does not wait in a queue"
    );
}

#[test]
fn a_new_id_waits_while_a_rotation_is_open_and_the_latest_wins() {
    for phase in [
        Phase::Minting,
        Phase::Quiescing,
        Phase::Running,
        Phase::Clearing,
    ] {
        let mut engine = Engine::rotating(phase);
        for next in ["r-2", "r-3"] {
            engine.request = Some(ask(next));
            assert_eq!(engine.wish().queued, Some(id(next)));
        }
    }
    let mut engine = Engine::rotated();
    engine.request = Some(ask("r-3"));
    assert_eq!(engine.write(), [News::Opened(id("r-3"))]);
}

#[test]
fn what_holds_an_engine_back_holds_back_what_has_not_stopped_it_yet() {
    let mut engine = Engine {
        held_back: true,
        ..Engine::asked(ask("r-1"))
    };
    assert_eq!(engine.wish().queued, Some(id("r-1")));

    engine = Engine {
        held_back: true,
        ..Engine::rotating(Phase::Minting)
    };
    assert_eq!(engine.wish().mint, None);
    engine.target = Target::Usable(kid('b'));
    assert!(!engine.wish().stopped);
}

#[test]
fn what_is_past_minting_goes_on_whatever_holds_the_engine_back() {
    let mut engine = Engine {
        held_back: true,
        ..Engine::rotating(Phase::Quiescing)
    };
    engine.stops();
    assert_eq!(engine.write(), [News::Started { attempt: 1 }]);
    engine.job = certified("r-1", 'b');
    engine.write();
    assert_eq!(engine.outcome(), Outcome::Certified);
}

#[test]
fn an_id_that_ended_badly_is_over() {
    let mut engine = Engine::rotating(Phase::Running);
    engine.job = refused(RefusalReason::RowsUnreadable, false, Some('a'));
    engine.write();
    assert_eq!(engine.wish().queued, None);
    assert_eq!(Engine::torn().wish().queued, None);
}

#[test]
fn no_rotation_starts_before_the_one_before_it_even_if_the_clock_went_back() {
    let started = Engine::rotated().ledger.last.unwrap().started;
    for (now, expected) in [
        (started - 50, started + 1),
        (started, started + 1),
        (started + 50, started + 50),
    ] {
        let mut engine = Engine {
            now,
            request: Some(ask("r-2")),
            ..Engine::rotated()
        };
        engine.write();
        assert_eq!(engine.open().started, expected);
        let mut rejected = Engine {
            now,
            request: Some(go_back("r-2", 'f')),
            ..Engine::rotated()
        };
        rejected.write();
        assert_eq!(rejected.ledger.last.unwrap().started, expected);
    }
}

#[test]
fn what_the_request_says_is_kept_with_the_open_rotation() {
    let request = Request {
        mode: Mode::Compromised,
        set_aside: vec!["connections/conn-1".to_owned().try_into().unwrap()],
        ..ask("r-1")
    };
    let mut engine = Engine::asked(request.clone());
    engine.write();
    let open = engine.open();
    assert_eq!(
        (open.mode, &open.set_aside),
        (request.mode, &request.set_aside)
    );
}
