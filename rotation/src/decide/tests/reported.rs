//! What people read.

use super::*;

fn words(engine: &Engine) -> (Option<&'static str>, &'static str, String) {
    let stage = stage(&engine.ledger, &engine.seen()).map(Stage::as_str);
    let UpToDate { why, message } = up_to_date(&engine.ledger, &engine.seen());
    (stage, why.as_str(), message)
}

/// One whose rotation because of its key's age was refused.
fn aged() -> Engine {
    let mut aged = Engine {
        due: Some(ask("age-aaaaaaaaaaaaaaaa")),
        due_at: Some(NOW),
        ..Engine::new()
    };
    aged.write();
    aged.target = Target::Unusable;
    aged.write();
    aged
}

/// A line for each moment of a life, to be read as a story.
#[test]
fn says_what_is_so_and_what_to_do() {
    let mut locked = Engine::rotating(Phase::Running);
    locked.job = refused(RefusalReason::BrainLocked, false, None);
    locked.write();
    let mut second = Engine {
        job: Job::Absent,
        ..locked.clone()
    };
    second.write();
    let mut late = Engine::rotating(Phase::Running);
    late.now += 300;
    late.write();
    let mut refusing = Engine::rotating(Phase::Running);
    refusing.job = refused(RefusalReason::RowsUnreadable, false, None);
    refusing.write();
    let mut rejected = Engine::asked(go_back("r-1", 'f'));
    rejected.write();
    let running = |job| Engine {
        job,
        ..Engine::rotating(Phase::Running)
    };
    let queued = Engine {
        request: Some(ask("r-2")),
        ..Engine::rotating(Phase::Minting)
    };
    let nowhere = Engine {
        holders: Holders::Unreachable,
        ..Engine::rotating(Phase::Quiescing)
    };
    let moments = [
        Engine::new(),
        Engine {
            held_back: true,
            ..Engine::asked(ask("r-1"))
        },
        Engine::rotating(Phase::Minting),
        queued,
        Engine::rotating(Phase::Quiescing),
        nowhere,
        running(Job::Absent),
        running(progress(Step::Migrating, 5)),
        running(progress(Step::Verifying, 5)),
        locked,
        second,
        late,
        Engine::rotated(),
        refusing,
        Engine::torn(),
        rejected,
        aged(),
    ];
    let lines: Vec<_> = moments
        .iter()
        .map(words)
        .map(|(stage, why, message)| format!("{:<11}{why:<18}{message}", stage.unwrap_or("-")))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn one_that_came_to_nothing_matters_no_more_when_nobody_asks_for_it() {
    let mut engine = Engine::asked(go_back("r-1", 'f'));
    engine.write();
    assert_eq!(words(&engine).1, "RotationRejected");
    engine.request = None;
    assert_eq!(words(&engine).1, "AsExpected");

    let torn = Engine {
        request: None,
        ..Engine::torn()
    };
    assert_eq!(words(&torn).1, "RotationFailed", "two keys are in the ring");
}

#[test]
fn one_that_age_asked_for_matters_no_more_when_age_asks_for_none() {
    let mut aged = aged();
    for (due_at, why) in [
        (Some(NOW), "RotationRefused"),
        (Some(NOW + 86_400), "RotationRefused"),
        (Some(NOW + 90 * 86_400), "AsExpected"),
        (None, "AsExpected"),
    ] {
        aged.due_at = due_at;
        assert_eq!(words(&aged).1, why, "{due_at:?}");
    }
}

#[test]
fn a_node_that_does_not_answer_is_no_matter_while_the_engine_is_not_to_stop() {
    let engine = Engine {
        holders: Holders::Unreachable,
        ..Engine::rotating(Phase::Minting)
    };
    assert_eq!(words(&engine).1, "Rotating");
}
