//! Volumes that are full or read-only, and signals, while a container of a rotation's Job works.

use std::fmt::Write as _;

use rustix::process::Signal;
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use userengine_api::refusal::RefusalReason;
use userengine_engine::clock::Clock;
use userengine_engine::ring::{Ring, RingConfig};
use userengine_engine::vault::{Place, SealedColumn, Vault};
use userengine_rotation::verdict::{Refused, Verdict};

use crate::rotation::{job, refused, ring, volume};
use crate::support::process::{Engine, Setup};
use crate::support::volume::Volume;
use crate::support::{eventually, key, sql};

/// A brain with so many connections, each credential of about 1,400 bytes in its envelope.
fn filled(rows: u32) -> Volume {
    let volume = volume();
    let config = RingConfig::Single(key(1));
    let vault = Vault::new(&Ring::load(config).unwrap(), Clock::system());
    let value = SecretString::from("x".repeat(1000));
    let kid = key(1).kid();
    let mut statements = "BEGIN;".to_owned();
    for row in 0..rows {
        let id = format!("conn-{row:020}");
        let place = Place::new(SealedColumn::ConnectionCredentials, id.as_str());
        let sealed = vault.seal(&kid, &place, &value).unwrap();
        let _ = write!(
            statements,
            "INSERT INTO connections (ref_id, server_name, alias, auth_method, status, created_at, credentials, kid)
             VALUES ('{id}', 'mail', 'mail-{row}', 'oauth', 'connected', '2026-11-21T10:00:00.000Z', '{}', '{kid}');",
            sealed.token.as_str()
        );
    }
    sql::run(&volume.brain(), &(statements + "COMMIT"));
    volume
}

/// A container whose transactions are small, so that there are many.
fn in_small_steps(subcommand: &'static str, volume: &Volume, ring: &TempDir) -> Setup {
    job(subcommand, volume, ring).with("PAGE_ROWS", "10")
}

/// `migrate` and `verify` to their end: so many credentials are as they were, under the new key alone.
fn finishes(volume: &Volume, rows: u64) {
    let (migrated, ended) = job("migrate", volume, &ring(&[1, 2])).verdict();
    assert!(matches!(migrated, Verdict::Migrated(_)), "{}", ended.stderr);
    let (certified, ended) = job("verify", volume, &ring(&[2])).verdict();
    let Verdict::Certified(certificate) = certified else {
        panic!("{}", ended.stderr)
    };
    assert_eq!(certificate.rows["connections.credentials"], rows);
}

fn assert_refused(refused: &Refused, reason: RefusalReason, touched: bool) {
    assert_eq!(refused.refusal.reason, reason, "{}", refused.refusal);
    assert_eq!(refused.touched, touched);
}

#[test]
fn a_volume_without_room_for_the_work_is_refused_by_name_and_stays_as_it_was() {
    let volume = filled(1800).moved_to_a_small_one();
    let before = volume.content();
    let no_room = refused(job("migrate", &volume, &ring(&[1, 2])).verdict());
    assert_refused(&no_room, RefusalReason::StorageFull, false);
    let said = &no_room.refusal.message;
    assert!(
        said.starts_with("the volume has ") && said.contains(" bytes free: expected at least "),
        "{said}"
    );
    assert_eq!(volume.content(), before);
    assert!(Setup::new(&volume).start().stop().status.success());
}

#[test]
fn a_volume_that_fills_up_in_the_middle_is_named_and_with_room_again_a_rerun_finishes() {
    let volume = filled(600).moved_to_a_small_one();
    let filler = volume.room().unwrap().filler();
    let both = ring(&[1, 2]);
    let migrate = in_small_steps("migrate", &volume, &both);
    let working = migrate.start_job();
    eventually("it has written something", || volume.log_bytes() > 200_000);
    // It must not come to its end while the room is taken away.
    working.signal(Signal::STOP);
    filler.fill();
    working.signal(Signal::CONT);
    let full = refused(migrate.verdict_of(working));
    assert_refused(&full, RefusalReason::StorageFull, true);
    let again = refused(migrate.verdict());
    assert_refused(&again, RefusalReason::StorageFull, true);
    filler.remove();
    finishes(&volume, 600);
}

#[test]
fn a_read_only_volume_is_refused_by_name_and_stays_as_it_was() {
    let volume = filled(10).moved_to_a_small_one();
    volume.room().unwrap().remount("ro");
    let before = volume.content();
    for (subcommand, keys) in [("migrate", &[1, 2][..]), ("verify", &[2])] {
        let refusal = refused(job(subcommand, &volume, &ring(keys)).verdict());
        assert_refused(&refusal, RefusalReason::StorageReadOnly, false);
    }
    let serving = Setup::new(&volume).refused(&volume);
    assert_eq!(serving.reason, RefusalReason::StorageReadOnly, "{serving}");
    assert_eq!(volume.content(), before);
    volume.room().unwrap().remount("rw");
    finishes(&volume, 10);
}

/// Waits until it is in the middle of this step, and tells it to end.
fn end_during(job: &Engine, step: &str) {
    eventually(step, || {
        let progress = job.internal("/progress");
        let seen: Value = serde_json::from_str(&progress.body).unwrap_or_default();
        seen["step"] == step && seen["done"].as_u64() > Some(0)
    });
    job.signal(Signal::TERM);
}

#[test]
fn told_to_end_each_container_does_so_in_order_and_a_rerun_goes_on() {
    let volume = filled(3000);
    let (both, new) = (ring(&[1, 2]), ring(&[2]));
    let migrate = in_small_steps("migrate", &volume, &both);
    let working = migrate.start_job();
    end_during(&working, "migrating");
    let interrupted = refused(migrate.verdict_of(working));
    assert_refused(&interrupted, RefusalReason::RotationInterrupted, true);
    assert_eq!(interrupted.write_kid, Some(key(2).kid()));
    for number in [1, 2] {
        let under = format!(
            "SELECT COUNT(*) FROM connections WHERE kid = '{}'",
            key(number).kid()
        );
        assert_ne!(sql::number(&volume.brain(), &under), 0, "key {number}");
    }
    let Verdict::Migrated(migrated) = migrate.verdict().0 else {
        panic!("not migrated")
    };
    assert!(migrated.rows < 3000, "{}", migrated.rows);

    let before = volume.content();
    let verify = in_small_steps("verify", &volume, &new);
    let working = verify.start_job();
    end_during(&working, "verifying");
    let interrupted = refused(verify.verdict_of(working));
    assert_refused(&interrupted, RefusalReason::RotationInterrupted, true);
    assert_eq!(volume.content(), before);
    assert!(matches!(verify.verdict().0, Verdict::Certified(_)));
}

#[test]
fn an_order_that_is_older_than_one_that_began_is_over() {
    let volume = filled(3);
    let opened = |setup: Setup, at: &str| setup.with("ROTATION_OPENED", at);
    let (both, new) = (ring(&[1, 2]), ring(&[2]));
    opened(job("migrate", &volume, &both), "1000").verdict();
    opened(job("verify", &volume, &new), "1000").verdict();
    let next = ring(&[2, 3]);
    let second = |at: &str| {
        let setup = opened(job("migrate", &volume, &next), at).with("ROTATION_ID", "second");
        let setup = setup.with("ROTATION_FROM", key(2).kid().as_str());
        setup.with("ROTATION_TO", key(3).kid().as_str()).verdict()
    };
    let before = volume.content();
    for at in ["999", "1000"] {
        let refusal = refused(second(at));
        assert_refused(&refusal, RefusalReason::RotationOver, false);
    }
    assert_eq!(volume.content(), before);
    assert!(matches!(second("1001").0, Verdict::Migrated(_)));
}
