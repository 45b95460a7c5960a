//! What comes of the Job.

use super::*;

fn running() -> Engine {
    Engine::rotating(Phase::Running)
}

/// Lets the Job end like this, and what is left of it go.
fn end_attempt(engine: &mut Engine, job: Job) -> Vec<News> {
    engine.job = job;
    let mut news = engine.write();
    if engine.ledger.open.is_some() {
        let wish = engine.wish();
        assert!(wish.stopped && wish.clear_jobs && wish.job.is_none());
        engine.job = Job::Absent;
        news.extend(engine.write());
    }
    news
}

#[test]
fn a_refusal_that_wrote_nothing_puts_everything_back() {
    let mut engine = running();
    end_attempt(
        &mut engine,
        refused(RefusalReason::RowsUnreadable, false, Some('a')),
    );
    assert_eq!(engine.outcome(), Outcome::Refused);
    assert!(engine.why().contains("RowsUnreadable: said the brain"));
    assert_eq!(engine.states(), "a:active b:withheld");
    let wish = engine.wish();
    assert_eq!((wish.stopped, wish.ring), (false, vec![suffix("initial")]));
}

#[test]
fn after_a_refusal_that_wrote_both_keys_stay_and_the_brain_says_which_one_seals() {
    for (write, states) in [
        (Some('b'), "a:staged b:active"),
        (Some('a'), "a:active b:staged"),
        (Some('f'), "a:active b:staged"),
        (None, "a:active b:staged"),
    ] {
        let mut engine = running();
        end_attempt(
            &mut engine,
            refused(RefusalReason::InventoryChanged, true, write),
        );
        assert_eq!(engine.outcome(), Outcome::Failed);
        assert_eq!(engine.states(), states);
        assert_eq!(engine.wish().ring.len(), 2);
    }
}

#[test]
fn a_fault_that_may_pass_is_tried_three_times() {
    for reason in [RefusalReason::BrainLocked, RefusalReason::StorageFailed] {
        let mut engine = running();
        for attempt in [2, 3] {
            let news = end_attempt(&mut engine, refused(reason, false, Some('a')));
            assert!(matches!(&news[0], News::Retrying { why } if why.contains("said the brain")));
            assert_eq!(news[1], News::Started { attempt });
            assert_eq!(engine.wish().job, Some(attempt));
        }
        end_attempt(&mut engine, refused(reason, false, Some('a')));
        assert_eq!(engine.outcome(), Outcome::Refused);
        assert_eq!(engine.states(), "a:active b:withheld");
    }
}

#[test]
fn a_job_that_says_nothing_is_tried_three_times_and_then_both_keys_stay() {
    let mut engine = running();
    for attempt in [2, 3] {
        let news = end_attempt(&mut engine, Job::Ended(None));
        assert_eq!(news[1], News::Started { attempt });
    }
    let news = end_attempt(&mut engine, Job::Ended(None));
    let retries = |news: &News| matches!(news, News::Retrying { .. });
    assert!(!news.iter().any(retries), "{news:?}");
    assert_eq!(engine.outcome(), Outcome::Failed);
    assert!(engine.why().contains("3 times"));
    assert_eq!(engine.states(), "a:active b:staged");
}

#[test]
fn what_is_no_certificate_of_this_rotation_is_none() {
    for job in [
        certified("r-0", 'b'),
        certified("r-1", 'c'),
        Job::Ended(Some(Verdict::Migrated(crate::verdict::Migrated {
            rotation: id("r-1"),
            write_kid: kid('b'),
            epoch: 1,
            rows: 1,
            recovered: false,
        }))),
    ] {
        let mut engine = running();
        let news = end_attempt(&mut engine, job);
        assert_eq!(news[1], News::Started { attempt: 2 });
    }
}

#[test]
fn once_a_pod_vanished_no_refusal_takes_the_new_key_out_of_the_ring() {
    for job in [Job::Ended(None), Job::Going] {
        let mut engine = running();
        end_attempt(&mut engine, job);
        end_attempt(
            &mut engine,
            refused(RefusalReason::RowsUnreadable, false, Some('a')),
        );
        assert_eq!(engine.outcome(), Outcome::Refused);
        assert_eq!(
            engine.states(),
            "a:active b:staged",
            "the first one may still write"
        );
    }
}

#[test]
fn an_attempt_without_progress_goes_and_the_engine_comes_back_with_both_keys() {
    for job in [Job::Absent, Job::Running(None), Job::Unreachable] {
        let mut engine = Engine { job, ..running() };
        engine.now += 299;
        assert_eq!(engine.wish().look_again, Some(1));
        engine.now += 1;
        assert_eq!(engine.write(), []);
        engine.job = Job::Going;
        let wish = engine.wish();
        assert!(wish.stopped && wish.clear_jobs && wish.job.is_none());
        engine.job = Job::Absent;
        engine.write();
        assert_eq!(engine.outcome(), Outcome::Failed);
        assert!(engine.why().contains("300 s"));
        assert_eq!(engine.wish().ring.len(), 2);
        assert!(!engine.wish().stopped);
    }
}

#[test]
fn progress_moves_the_deadline() {
    let mut engine = running();
    for (step, done) in [
        (Step::Checking, 900),
        (Step::Migrating, 10),
        (Step::Migrating, 20),
    ] {
        engine.now += 299;
        engine.job = progress(step, done);
        assert_eq!(engine.write(), []);
        assert_eq!(engine.open().since, engine.now);
        assert_eq!(engine.wish().job, Some(1));
    }
    for stale in [progress(Step::Migrating, 20), progress(Step::Checking, 950)] {
        let mut engine = Engine {
            now: engine.now + 300,
            job: stale,
            ..engine.clone()
        };
        engine.write();
        assert_eq!(engine.open().phase, Phase::Clearing);
    }
}

#[test]
fn progress_is_written_down_once_a_step_and_within_it_at_most_once_a_minute() {
    let mut engine = running();
    engine.job = progress(Step::Checking, 10);
    assert_eq!(engine.wish().job, Some(1));
    engine.job = progress(Step::Migrating, 10);
    assert_eq!(engine.write(), []);
    engine.job = Job::Running(None);
    assert_eq!(
        stage(&engine.ledger, &engine.seen()),
        Some(Stage::Migrating)
    );
    engine.job = progress(Step::Migrating, 20);
    engine.now += 59;
    assert_eq!(engine.wish().job, Some(1));
    engine.now += 1;
    assert_eq!(engine.write(), []);
}

#[test]
fn the_progress_of_another_rotation_moves_nothing() {
    let mut engine = running();
    let (rotation, step) = (id("r-0"), Step::Verifying);
    engine.job = Job::Running(Some(Progress {
        rotation,
        step,
        done: 1,
        total: 1,
    }));
    assert_eq!(stage(&engine.ledger, &engine.seen()), Some(Stage::Checking));
    engine.now += 300;
    engine.write();
    assert_eq!(engine.open().phase, Phase::Clearing);
}

#[test]
fn a_further_attempt_starts_with_no_progress_and_a_whole_deadline() {
    let mut engine = running();
    engine.now += 100;
    engine.job = progress(Step::Verifying, 50);
    engine.write();
    end_attempt(&mut engine, Job::Ended(None));
    assert_eq!(
        (engine.open().reached, engine.open().since),
        (None, engine.now)
    );
}

#[test]
fn a_certificate_that_comes_while_the_job_goes_counts() {
    let mut engine = running();
    engine.now += 300;
    engine.write();
    engine.job = certified("r-1", 'b');
    engine.write();
    assert_eq!(engine.outcome(), Outcome::Certified);
}

#[test]
fn nothing_comes_while_a_pod_of_the_job_may_be_there() {
    for job in [
        Job::Going,
        Job::Running(None),
        Job::Ended(None),
        Job::Unreachable,
    ] {
        let mut engine = Engine {
            job: job.clone(),
            ..Engine::rotating(Phase::Clearing)
        };
        engine.now += 100_000;
        let wish = engine.wish();
        assert!(wish.stopped && wish.clear_jobs && wish.job.is_none());
        let stuck = (job == Job::Unreachable).then_some(Stuck::NodeUnreachable);
        assert_eq!(wish.stuck, stuck);
    }
}

#[test]
fn another_attempt_waits_for_whoever_else_has_the_volume_but_not_for_ever() {
    let mut engine = Engine {
        job: Job::Absent,
        ..Engine::rotating(Phase::Clearing)
    };
    engine.holders = Holders::Some;
    engine.now += 299;
    assert!(engine.wish().stopped);
    engine.now += 1;
    engine.write();
    assert_eq!(engine.outcome(), Outcome::Failed);
    assert_eq!(engine.states(), "a:active b:staged");
}

#[test]
fn another_attempt_needs_its_key() {
    let mut engine = Engine {
        job: Job::Absent,
        ..Engine::rotating(Phase::Clearing)
    };
    engine.target = Target::Absent;
    engine.write();
    assert_eq!(engine.outcome(), Outcome::Failed);
    assert_eq!(engine.states(), "a:active b:staged");
}
