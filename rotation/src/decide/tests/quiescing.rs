//! From the key's Secret to the engine's stop.

use super::*;

#[test]
fn refuses_a_secret_that_is_of_no_use() {
    let mut engine = Engine {
        target: Target::Unusable,
        ..Engine::rotating(Phase::Minting)
    };
    engine.write();
    assert_eq!(engine.outcome(), Outcome::Refused);
    assert_eq!(engine.states(), "a:active");
}

#[test]
fn refuses_a_new_key_that_is_an_old_one() {
    let mut engine = Engine {
        target: Target::Usable(kid('a')),
        ..Engine::rotating(Phase::Minting)
    };
    engine.write();
    assert_eq!(engine.outcome(), Outcome::Refused);
    assert_eq!(engine.states(), "a:active");
}

#[test]
fn waits_until_no_pod_mounts_the_claim_and_none_can_come() {
    let mut engine = Engine::rotating(Phase::Quiescing);
    assert_eq!(engine.wish().job, None);
    engine.quiet = true;
    assert_eq!(engine.wish().job, None, "a pod goes");
    (engine.quiet, engine.holders) = (false, Holders::None);
    assert_eq!(engine.wish().job, None, "a pod may come");
    engine.stops();
    engine.job = Job::Going;
    let wish = engine.wish();
    assert_eq!(
        (wish.job, wish.clear_jobs),
        (None, true),
        "an old Job is about"
    );
    engine.job = Job::Absent;
    assert_eq!(engine.write(), [News::Started { attempt: 1 }]);
}

#[test]
fn a_clock_that_is_put_back_puts_no_deadline_off() {
    for phase in [Phase::Quiescing, Phase::Running, Phase::Clearing] {
        let mut engine = Engine::rotating(phase);
        engine.now -= 86_400;
        assert_eq!(engine.write(), [], "{phase:?}: nothing to tell");
        let left = engine.wish().look_again.unwrap();
        assert!(left <= ATTEMPT_SECONDS, "{phase:?}: {left}");
    }
    let mut engine = Engine::rotating(Phase::Quiescing);
    engine.now -= CLOCKS_SECONDS;
    assert!(engine.wish().stopped, "two clocks are never quite the same");
}

#[test]
fn an_engine_that_does_not_stop_in_time_comes_back_as_it_was() {
    let mut engine = Engine::rotating(Phase::Quiescing);
    engine.now += 149;
    assert_eq!(engine.wish().look_again, Some(1));
    engine.now += 1;
    engine.write();
    assert_eq!(engine.outcome(), Outcome::Failed);
    assert!(engine.why().contains("150 s"));
    assert_eq!(engine.states(), "a:active b:withheld");
    let wish = engine.wish();
    assert_eq!((wish.stopped, wish.ring), (false, vec![suffix("initial")]));
}

#[test]
fn one_that_stops_in_the_last_second_is_rotated() {
    let mut engine = Engine::rotating(Phase::Quiescing);
    engine.now += 1_000;
    engine.stops();
    assert_eq!(engine.write(), [News::Started { attempt: 1 }]);
}

#[test]
fn never_guesses_about_a_node_that_does_not_answer() {
    let mut engine = Engine::rotating(Phase::Quiescing);
    engine.holders = Holders::Unreachable;
    for late in [0, 100_000] {
        engine.now += late;
        let wish = engine.wish();
        assert_eq!((wish.stopped, wish.job), (true, None));
        assert_eq!(wish.stuck, Some(Stuck::NodeUnreachable));
        assert!(wish.look_again > Some(0));
    }
    engine.stops();
    assert_eq!(engine.write(), [News::Started { attempt: 1 }]);
}

#[test]
fn a_key_that_was_lost_before_the_first_attempt_is_not_used() {
    for lost in [Target::Absent, Target::Unusable, Target::Usable(kid('c'))] {
        let mut engine = Engine::rotating(Phase::Quiescing);
        engine.stops();
        engine.target = lost;
        engine.write();
        assert_eq!(engine.outcome(), Outcome::Refused);
        assert_eq!(engine.states(), "a:active b:withheld");
    }
}
