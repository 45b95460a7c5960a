//! From the first start to the last stop.

use std::fs;

use rustix::process::Signal;

use crate::support::process::{Engine, Setup};
use crate::support::sql;
use crate::support::volume::Volume;

fn open_count(engine: &Engine) -> u64 {
    engine.internal("/keys").json()["open_count"]
        .as_u64()
        .unwrap()
}

fn recoveries(engine: &Engine) -> bool {
    engine
        .internal("/metrics")
        .body
        .contains("engine_recovered_unclean_stops_total 1")
}

#[test]
fn a_stop_hands_the_brain_over() {
    let volume = Volume::new();
    let setup = Setup::new(&volume);
    for (signal, count) in [(Signal::TERM, 1), (Signal::INT, 2), (Signal::TERM, 3)] {
        let engine = setup.start();
        assert_eq!((open_count(&engine), recoveries(&engine)), (count, false));
        engine.signal(signal);
        let ended = engine.wait();
        assert!(
            ended.status.success() && ended.stderr.contains("handed over"),
            "{}",
            ended.stderr
        );
        assert_eq!(volume.names(), ["brain.sqlite", "brain.sqlite.lock"]);
        assert_eq!(
            sql::number(&volume.brain(), "SELECT COUNT(*) FROM handover"),
            1
        );
    }
}

#[test]
fn the_brain_keeps_its_identity_whatever_the_mode() {
    let volume = Volume::new();
    let identity = |engine: &Engine| engine.internal("/keys").json()["database_id"].clone();
    let engine = Setup::new(&volume).start();
    let id = identity(&engine);
    assert!(engine.stop().status.success());
    for mode in ["create", "existing"] {
        let setup = Setup::new(&volume)
            .with("BRAIN_MODE", mode)
            .with("DATABASE_ID", id.as_str().unwrap());
        let engine = setup.start();
        assert_eq!(identity(&engine), id);
        assert!(engine.stop().status.success());
    }
}

#[test]
fn an_engine_that_was_killed_is_recovered_by_name() {
    let volume = Volume::new();
    let setup = Setup::new(&volume);
    setup.start().kill();
    let mut engine = setup.spawn();
    engine.wait_for("recovered an unclean stop");
    engine.kill();
    let engine = setup.start();
    assert!(recoveries(&engine));
    assert!(engine.stop().status.success());
    assert!(!recoveries(&setup.start()));
}

#[test]
fn writes_that_only_the_log_holds_survive_a_crash() {
    let volume = Volume::new();
    assert!(Setup::new(&volume).start().stop().status.success());
    let crashed = sql::with_log(&volume.brain(), "UPDATE key_state SET epoch = 7", || {
        volume.crash_copy()
    });
    assert!(crashed.has_log());
    let engine = Setup::new(&crashed).start();
    assert!(
        recoveries(&engine),
        "a hand-over row beside a log with content is no clean stop"
    );
    assert!(engine.stop().status.success());
    assert_eq!(
        sql::number(&crashed.brain(), "SELECT epoch FROM key_state"),
        7
    );
    assert_eq!(crashed.names(), ["brain.sqlite", "brain.sqlite.lock"]);
}

#[test]
fn a_kill_at_any_moment_of_a_start_or_stop_loses_nothing() {
    let volume = Volume::new();
    let setup = Setup::new(&volume);
    let mut least = 0;
    for round in 0..12_u32 {
        // From the very first moment to well into serving: the brain is born in some of these rounds.
        let engine = setup.spawn();
        let busy = std::iter::repeat_with(|| volume.content())
            .take((round * round * 3) as usize)
            .count();
        if round % 3 == 2 {
            engine.signal(Signal::TERM);
        }
        engine.kill();
        let mode = if volume.brain().exists() {
            "existing"
        } else {
            "create"
        };
        let engine = Setup::new(&volume).with("BRAIN_MODE", mode).start();
        let count = open_count(&engine);
        assert!(count > least, "round {round} after {busy} looks");
        least = count;
        if round % 2 == 0 {
            engine.kill();
        } else {
            assert!(engine.stop().status.success());
        }
    }
}

#[test]
fn a_half_created_brain_is_thrown_away() {
    let volume = Volume::new();
    for (name, content) in [
        ("brain.sqlite.unborn", "half"),
        ("brain.sqlite.unborn-wal", "a log"),
        ("brain.sqlite.lock", ""),
    ] {
        fs::write(volume.file(name), content).unwrap();
    }
    let refused = Setup::new(&volume)
        .with("BRAIN_MODE", "existing")
        .refused(&volume);
    assert_eq!(refused.reason.as_str(), "BrainMissing");
    let engine = Setup::new(&volume).with("BRAIN_MODE", "create").start();
    assert_eq!((open_count(&engine), recoveries(&engine)), (1, false));
    assert!(engine.stop().status.success());
    assert_eq!(volume.names(), ["brain.sqlite", "brain.sqlite.lock"]);
}

#[test]
fn a_stopping_engine_is_not_ready_and_a_second_signal_ends_it() {
    let volume = Volume::new();
    let setup = Setup::new(&volume).with("SHUTDOWN_GRACE_SECONDS", "600");
    let mut engine = setup.start();
    let hanging = engine.hang();
    engine.signal(Signal::TERM);
    engine.wait_for("stopping");
    let draining = std::iter::repeat_with(|| engine.internal("/readyz"))
        .find(|answer| answer.status == 503)
        .unwrap();
    assert!(draining.body.contains("stopping"), "{draining:?}");
    assert_eq!(engine.internal("/livez").status, 200);
    engine.signal(Signal::INT);
    let ended = engine.wait();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("stopped at once"), "{}", ended.stderr);
    drop(hanging);
    assert!(recoveries(&setup.start()));
}

#[test]
fn a_signal_that_is_told_twice_counts_once() {
    let volume = Volume::new();
    let mut engine = Setup::new(&volume).start();
    let hanging = engine.hang();
    for _ in 0..20 {
        engine.signal(Signal::TERM);
        std::thread::yield_now();
    }
    engine.wait_for("stopping");
    drop(hanging);
    let ended = engine.wait();
    assert!(ended.status.success(), "{}", ended.stderr);
}

#[test]
fn requests_that_outlive_the_grace_period_are_cut() {
    let volume = Volume::new();
    let engine = Setup::new(&volume)
        .with("SHUTDOWN_GRACE_SECONDS", "1")
        .start();
    let hanging = engine.hang();
    let ended = engine.stop();
    assert!(
        ended.status.success() && ended.stderr.contains("outlived the grace period"),
        "{}",
        ended.stderr
    );
    drop(hanging);
}

#[test]
fn the_brain_is_for_its_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let volume = Volume::new();
    let engine = Setup::new(&volume).start();
    for name in volume.names() {
        let mode = fs::metadata(volume.file(&name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    drop(engine);
}
