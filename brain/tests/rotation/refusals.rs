//! What a rotation refuses, each with its reason: the brain stays as it was, and its engine starts.

use std::time::Duration;

use jiff::Timestamp;
use userengine_api::refusal::RefusalReason::{self, *};
use userengine_brain::clock::Clock;
use userengine_brain::rotation::{RotationError, Task};
use userengine_brain::store::OpenError;

use crate::support::{Volume, kid, reason, task};

/// Refused with this reason, and nothing changed.
fn refused(volume: &Volume, keys: &[u8], rotation: &Task, why: RefusalReason) {
    let hash = volume.hash();
    assert_eq!(reason(volume.migrate(keys, rotation)), why);
    assert_eq!(volume.hash(), hash, "{why:?}: the brain was changed");
    let sides = [
        volume.side("-wal"),
        volume.side("-shm"),
        volume.side("-journal"),
    ];
    assert_eq!(
        sides, [None; 3],
        "{why:?}: something was left beside the brain"
    );
}

#[test]
fn a_ring_without_the_key_that_seals() {
    let volume = Volume::with_rows(5);
    refused(&volume, &[2], &task("first", &[1, 2]), KeyForeign);
    refused(&volume, &[3, 2], &task("first", &[3, 2]), KeyForeign);
    volume.engine_runs(&[1]);
}

#[test]
fn a_ring_without_the_key_to_seal_with() {
    let volume = Volume::with_rows(5);
    refused(&volume, &[1, 3], &task("first", &[1, 2]), KeyForeign);
    volume.engine_runs(&[1]);
}

#[test]
fn the_wrong_direction_and_the_key_that_seals_already() {
    let volume = Volume::with_rows(5);
    refused(&volume, &[1, 2], &task("first", &[2, 1]), RotationReversed);
    refused(
        &volume,
        &[1, 2, 3],
        &task("first", &[3, 2]),
        RotationReversed,
    );
    volume.engine_runs(&[1]);
}

#[test]
fn the_brain_of_somebody_else() {
    let volume = Volume::with_rows(5);
    volume
        .hand()
        .run("UPDATE brain_identity SET database_id = 'other'");
    refused(&volume, &[1, 2], &task("first", &[1, 2]), BrainForeign);
}

#[test]
fn a_brain_of_a_newer_schema() {
    let volume = Volume::with_rows(5);
    volume.hand().run(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99991231000000, 'x', 1, x'00', 0)",
    );
    refused(&volume, &[1, 2], &task("first", &[1, 2]), MigrationRequired);
}

#[test]
fn a_key_id_that_is_none() {
    let volume = Volume::with_rows(5);
    volume.hand().run(
        "UPDATE connections SET kid = 'no-key-id-at-all' WHERE ref_id = 'conn-00000000000000000003'",
    );
    refused(&volume, &[1, 2], &task("first", &[1, 2]), BrainCorrupt);
}

#[test]
fn a_damaged_file() {
    let volume = Volume::with_rows(500);
    volume.damage();
    refused(&volume, &[1, 2], &task("first", &[1, 2]), BrainCorrupt);
}

#[test]
fn damage_that_no_value_meets_in_a_brain_too_large_to_be_checked_at_the_door() {
    let volume = Volume::with_rows(5);
    volume.hand().run(
        "INSERT INTO audit (at, kind, outcome, details)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         SELECT i, '', '', hex(zeroblob(1800)) FROM n",
    );
    assert!(volume.brain().metadata().unwrap().len() > 16 * 1024 * 1024);
    volume.damage();
    refused(&volume, &[1, 2], &task("first", &[1, 2]), BrainCorrupt);
    let hash = volume.hash();
    assert_eq!(reason(volume.verify(&[1], None)), BrainCorrupt);
    assert_eq!(volume.hash(), hash);
}

#[test]
fn no_brain_at_all() {
    let volume = Volume::with_rows(1);
    std::fs::remove_file(volume.brain()).unwrap();
    let rotation = task("first", &[1, 2]);
    assert_eq!(reason(volume.migrate(&[1, 2], &rotation)), BrainMissing);
    assert!(!volume.brain().exists());
}

#[test]
fn an_engine_that_still_runs() {
    let volume = Volume::with_rows(5);
    let (runtime, store) = volume.open(&[1]);
    let rotation = task("first", &[1, 2]);
    assert_eq!(reason(volume.migrate(&[1, 2], &rotation)), BrainLocked);
    assert_eq!(reason(volume.verify(&[1], None)), BrainLocked);
    drop((store, runtime));
    volume.rotate(&[1, 2], &rotation);
}

#[test]
fn an_altered_value_and_one_that_was_moved() {
    let volume = Volume::with_rows(20);
    let hand = volume.hand();
    hand.run(
        "UPDATE connections SET credentials = replace(credentials, substr(credentials, 40, 4), 'AAAA') WHERE alias = 'mail-3';
         UPDATE connections SET credentials = (SELECT credentials FROM connections WHERE alias = 'mail-5') WHERE alias = 'mail-4';
         UPDATE connections SET credentials = 'not a token' WHERE alias = 'mail-6'",
    );
    refused(&volume, &[1, 2], &task("first", &[1, 2]), RowsUnreadable);
    let Err(error) = volume.migrate(&[1, 2], &task("first", &[1, 2])) else {
        panic!("migrated")
    };
    assert!(
        error
            .to_string()
            .starts_with("3 sealed values open with no key"),
        "{error}"
    );
    volume.engine_runs(&[1]);
}

#[test]
fn a_sealed_value_in_a_column_that_nobody_registered() {
    let volume = Volume::with_rows(5);
    let tables = [
        "INSERT INTO tool_pins SELECT ref_id, 'x', '0000000000000000000000000000000000000000000000000000000000000000',
             '{\"inside\":\"' || credentials || '\"}', '' FROM connections LIMIT 1",
        "UPDATE connections SET last_error = (SELECT client_secret FROM oauth_clients LIMIT 1) WHERE alias = 'mail-1'",
        "CREATE TABLE forgotten (\"a \"\"b\" BLOB); INSERT INTO forgotten SELECT CAST(credentials AS BLOB) FROM connections LIMIT 1",
    ];
    for statement in tables {
        let volume = volume.copy();
        volume.hand().run(statement);
        refused(
            &volume,
            &[1, 2],
            &task("first", &[1, 2]),
            SecretsUnregistered,
        );
        volume.engine_runs(&[1]);
    }
    // What another key sealed is none of ours.
    let token = volume.sealed_with(7);
    volume
        .hand()
        .run(&format!("UPDATE connections SET last_error = '{token}'"));
    volume.rotate(&[1, 2], &task("first", &[1, 2]));
}

#[test]
fn a_value_under_a_key_that_the_ring_lacks() {
    let volume = Volume::with_rows(5);
    let other = kid(9);
    volume.hand().run(&format!(
        "UPDATE connections SET kid = '{other}' WHERE alias = 'mail-1'"
    ));
    refused(&volume, &[1, 2], &task("first", &[1, 2]), KeyForeign);
}

#[test]
fn a_brain_that_was_not_handed_over_is_recovered_once_and_then_stays_as_it_is() {
    let volume = Volume::with_rows(20);
    let hand = volume.hand();
    hand.run("DELETE FROM handover");
    hand.leave_in_log("UPDATE connections SET credentials = 'not a token' WHERE alias = 'mail-6'");
    assert!(volume.side("-wal").is_some());
    let rotation = task("first", &[1, 2]);
    assert_eq!(reason(volume.migrate(&[1, 2], &rotation)), RowsUnreadable);
    assert_eq!(volume.side("-wal"), None);
    refused(&volume, &[1, 2], &rotation, RowsUnreadable);
    volume
        .hand()
        .run("DELETE FROM connections WHERE alias = 'mail-6'");
    assert!(volume.migrate(&[1, 2], &rotation).unwrap().recovered);
}

#[test]
fn neither_a_lagging_clock_nor_a_value_from_the_future_is_a_wrong_key() {
    let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let volume = Volume::with_rows(5).with_clock(Clock::manual(now));
    let vault = volume.vault(&[1]);
    volume.engine_clock_ahead(Duration::from_hours(24 * 365));
    volume.hand().fill_more(&vault, &kid(1));
    let before = volume.values(&[1]);
    let volume = volume.with_clock(Clock::manual("2001-01-01T00:00:00Z".parse().unwrap()));
    volume.rotate(&[1, 2], &task("first", &[1, 2]));
    assert_eq!(volume.values(&[2]), before);
}

#[test]
fn verify_with_more_than_one_key_with_the_wrong_one_and_before_migrate() {
    let volume = Volume::with_rows(5);
    let rotation = task("first", &[1, 2]);
    let hash = volume.hash();
    assert_eq!(reason(volume.verify(&[2], Some(&rotation))), KeyForeign);
    assert_eq!(reason(volume.verify(&[1, 2], None)), KeyForeign);
    assert_eq!(volume.hash(), hash);
    volume.migrate(&[1, 2], &rotation).unwrap();
    let hash = volume.hash();
    // The same reason, and not the same cure.
    let refused = |keys: &[u8]| volume.verify(keys, Some(&rotation)).unwrap_err();
    let (too_many, lacking) = (refused(&[1, 2]), refused(&[1]));
    assert!(
        matches!(&too_many, RotationError::NotTheOnlyKey { held: 2, expected } if *expected == kid(2)),
        "{too_many}"
    );
    assert!(
        matches!(&lacking, RotationError::Open(OpenError::KeyNotHeld(needed)) if *needed == kid(2)),
        "{lacking}"
    );
    for error in [too_many, lacking] {
        assert_eq!(reason::<()>(Err(error)), KeyForeign);
    }
    assert_eq!(reason(volume.verify(&[2], None)), RotationOpen);
    assert_eq!(
        reason(volume.verify(&[2], Some(&task("other", &[1, 2])))),
        RotationReversed
    );
    assert_eq!(volume.hash(), hash);
    volume.rotate(&[1, 2], &rotation);
}
