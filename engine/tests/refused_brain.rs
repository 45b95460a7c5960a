//! Volumes that stop the start, and stay as they are.

use std::fs;
use std::os::unix::fs::FileExt;

use userengine_api::refusal::RefusalReason;

use crate::support::process::{Ended, Engine, Setup};
use crate::support::volume::Volume;
use crate::support::{key, key_text, sql};

const NEWER: &str =
    "INSERT INTO _sqlx_migrations VALUES (99990101000000, 'from the future', 0, 1, x'00', 0)";

/// A volume with a brain that was closed cleanly.
fn born(id: &str) -> Volume {
    let volume = Volume::new();
    assert!(
        Setup::new(&volume)
            .with("DATABASE_ID", id)
            .start()
            .stop()
            .status
            .success()
    );
    volume
}

/// As a crash leaves it, with this statement in the write-ahead log only.
fn crashed(statement: &str) -> Volume {
    let volume = born("one");
    let crashed = sql::with_log(&volume.brain(), statement, || volume.crash_copy());
    assert!(crashed.has_log());
    crashed
}

#[test]
fn an_emptied_volume_is_not_a_new_brain() {
    let volume = Volume::new();
    let refusal = Setup::new(&volume)
        .with("BRAIN_MODE", "existing")
        .refused(&volume);
    assert_eq!(refusal.reason, RefusalReason::BrainMissing);
    // The lock file alone changes nothing.
    fs::write(volume.file("brain.sqlite.lock"), "").unwrap();
    assert_eq!(
        Setup::new(&volume)
            .with("BRAIN_MODE", "existing")
            .refused(&volume)
            .reason,
        RefusalReason::BrainMissing
    );
}

#[test]
fn no_brain_is_made_for_a_ring_of_two_or_beside_the_log_of_another() {
    let (volume, ring) = (Volume::new(), tempfile::tempdir().unwrap());
    for number in [1, 2] {
        fs::write(
            ring.path().join(key(number).kid().as_str()),
            key_text(number),
        )
        .unwrap();
    }
    let two = Setup::new(&volume)
        .without("AD_ENCRYPTION_KEY")
        .with("KEYRING_DIR", ring.path())
        .with("BRAIN_MODE", "create");
    assert_eq!(two.refused(&volume).reason, RefusalReason::BrainMissing);
    fs::write(volume.file("brain.sqlite-wal"), "left over").unwrap();
    let refusal = Setup::new(&volume).refused(&volume);
    assert_eq!(refusal.reason, RefusalReason::BrainMissing);
    assert!(refusal.message.contains("log"), "{refusal}");
}

#[test]
fn the_brain_of_another_engine_is_refused_in_every_mode() {
    for volume in [born("one"), crashed("UPDATE key_state SET epoch = 1")] {
        for mode in ["create", "existing"] {
            let setup = Setup::new(&volume)
                .with("DATABASE_ID", "two")
                .with("BRAIN_MODE", mode);
            let refusal = setup.refused(&volume);
            assert_eq!(refusal.reason, RefusalReason::BrainForeign);
            assert!(
                refusal.message.contains("one") && refusal.message.contains("two"),
                "{refusal}"
            );
        }
    }
}

#[test]
fn a_file_that_is_no_brain_is_refused() {
    let volume = Volume::new();
    for content in ["", "SQLite format 4", &"letters ".repeat(2048)] {
        fs::write(volume.brain(), content).unwrap();
        assert_eq!(
            Setup::new(&volume).refused(&volume).reason,
            RefusalReason::BrainForeign,
            "{content:.20}"
        );
    }
    fs::remove_file(volume.brain()).unwrap();
    sql::run(
        &volume.brain(),
        "CREATE TABLE brain_identity (id, database_id)",
    );
    assert_eq!(
        Setup::new(&volume).refused(&volume).reason,
        RefusalReason::BrainForeign
    );
}

#[test]
fn a_newer_schema_is_refused_with_both_versions() {
    let clean = born("one");
    sql::run(&clean.brain(), NEWER);
    for volume in [clean, crashed(NEWER)] {
        let refusal = Setup::new(&volume).refused(&volume);
        assert_eq!(refusal.reason, RefusalReason::MigrationRequired);
        for word in ["MIGRATION_REQUIRED", "99990101000000", "2026"] {
            assert!(refusal.message.contains(word), "{refusal}");
        }
    }
}

#[test]
fn a_damaged_brain_is_refused() {
    let volume = born("one");
    let whole = fs::read(volume.brain()).unwrap();
    fs::write(volume.brain(), &whole[..whole.len() - 4096]).unwrap();
    assert_eq!(
        Setup::new(&volume).refused(&volume).reason,
        RefusalReason::BrainCorrupt,
        "truncated"
    );

    fs::write(volume.brain(), &whole).unwrap();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(volume.brain())
        .unwrap();
    file.write_all_at(&[0xa5; 512], 4096).unwrap();
    assert_eq!(
        Setup::new(&volume).refused(&volume).reason,
        RefusalReason::BrainCorrupt,
        "overwritten"
    );

    fs::write(volume.brain(), &whole).unwrap();
    sql::run(&volume.brain(), "DELETE FROM brain_identity");
    assert_eq!(
        Setup::new(&volume).refused(&volume).reason,
        RefusalReason::BrainCorrupt,
        "without identity"
    );
    sql::run(
        &volume.brain(),
        "DROP TABLE key_state; INSERT INTO brain_identity VALUES (1, 'one', '', 1)",
    );
    assert_eq!(
        Setup::new(&volume).refused(&volume).reason,
        RefusalReason::BrainCorrupt,
        "without key state"
    );
}

#[test]
fn a_ring_that_does_not_fit_is_refused() {
    let volume = born("one");
    let other = Setup::new(&volume)
        .with("AD_ENCRYPTION_KEY", key_text(2))
        .refused(&volume);
    assert_eq!(other.reason, RefusalReason::KeyForeign);
    assert!(other.message.contains(key(1).kid().as_str()), "{other}");

    let relabel = format!("UPDATE key_state SET write_kid = '{}'", key(2).kid());
    let crashed = crashed(&relabel);
    assert_eq!(
        Setup::new(&crashed).refused(&crashed).reason,
        RefusalReason::KeyForeign,
        "the log counts"
    );

    let stolen = format!(
        "UPDATE key_canary SET kid = '{0}'; UPDATE key_state SET write_kid = '{0}'",
        key(2).kid()
    );
    sql::run(&volume.brain(), &stolen);
    let canary = Setup::new(&volume)
        .with("AD_ENCRYPTION_KEY", key_text(2))
        .refused(&volume);
    assert_eq!(canary.reason, RefusalReason::KeyForeign);
    assert!(canary.message.contains("canary"), "{canary}");
}

#[test]
fn a_ring_that_lacks_a_key_still_in_use_is_refused() {
    let volume = born("one");
    let second = format!(
        "INSERT INTO key_canary VALUES ('{}', 'sealed with a key that is not here')",
        key(2).kid()
    );
    sql::run(&volume.brain(), &second);
    let refusal = Setup::new(&volume).refused(&volume);
    assert_eq!(refusal.reason, RefusalReason::KeyForeign);
    assert!(refusal.message.contains(key(2).kid().as_str()), "{refusal}");
}

#[test]
fn a_second_engine_on_the_same_volume_is_refused() {
    let volume = Volume::new();
    let setup = Setup::new(&volume);
    let first = setup.start();
    let impatient = Setup::new(&volume).with("BRAIN_WAIT_SECONDS", "0");
    assert_eq!(
        impatient.refused(&volume).reason,
        RefusalReason::BrainLocked
    );
    assert_eq!(first.api("/health", "").status, 200);
    assert!(first.stop().status.success());
    assert!(
        setup.start().stop().status.success(),
        "the lock ends with its process"
    );
}

const WAITING: &str = "another engine or a rotation has the brain open: waiting for its end";

#[test]
fn an_engine_waits_for_the_one_before_it_to_end() {
    let ways: [fn(Engine) -> Ended; 2] = [Engine::stop, Engine::kill];
    for end in ways {
        let volume = Volume::new();
        let first = Setup::new(&volume).start();
        let mut second = Setup::new(&volume).spawn();
        second.wait_for(WAITING);
        end(first);
        second.wait_for("serving");
        assert!(second.stop().status.success());
    }
}

#[test]
fn an_engine_that_waits_for_another_stops_when_it_is_told() {
    let volume = Volume::new();
    let first = Setup::new(&volume).start();
    let patient = Setup::new(&volume).with("BRAIN_WAIT_SECONDS", "600");
    let mut second = patient.spawn();
    second.wait_for(WAITING);
    assert!(second.stop().status.success());
    assert_eq!(first.api("/health", "").status, 200);
}

#[test]
fn a_volume_that_cannot_be_written_is_refused() {
    let volume = Volume::new();
    let inside_a_file = volume.file("file");
    fs::write(&inside_a_file, "").unwrap();
    let setup = Setup::new(&volume).with("SQLITE_DB_PATH", inside_a_file.join("brain.sqlite"));
    assert_eq!(setup.refused(&volume).reason, RefusalReason::StorageFailed);
    let no_folder = Setup::new(&volume).with("SQLITE_DB_PATH", volume.file("absent/brain.sqlite"));
    assert_eq!(
        no_folder.refused(&volume).reason,
        RefusalReason::StorageFailed
    );
}
