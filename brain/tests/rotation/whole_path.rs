//! From one key to the next, and on.

use userengine_brain::rotation::verify_certificate;
use userengine_rotation::verdict::Verdict;

use crate::support::{Volume, certified, kid, task};

#[test]
fn every_value_opens_with_the_new_key_alone_and_the_old_key_opens_nothing() {
    let volume = Volume::with_rows(2500);
    let before = volume.values(&[1]);
    assert_eq!(before.len(), 2507);
    let rotation = task("first", &[1, 2]);
    let migrated = volume.migrate(&[1, 2], &rotation).unwrap();
    assert_eq!((migrated.rows, migrated.epoch), (2507, 1));
    assert!(!migrated.recovered);

    let certificate = certified(volume.verify(&[2], Some(&rotation)));
    assert_eq!((&certificate.from, &certificate.to), (&kid(1), &kid(2)));
    assert_eq!(certificate.rows["connections.credentials"], 2500);
    assert_eq!(certificate.inventory_before, certificate.inventory_after);
    assert_eq!(volume.values(&[2]), before);

    let old = volume.vault(&[1]);
    let tokens = volume.hand().sealed();
    assert!(
        tokens
            .iter()
            .all(|(.., token)| old.sealed_by(token).is_none())
    );
    volume.engine_runs(&[2]);
}

#[test]
fn the_same_job_again_does_nothing_and_gives_the_same_certificate() {
    let volume = Volume::with_rows(10);
    let rotation = task("first", &[1, 2]);
    let certificate = volume.rotate(&[1, 2], &rotation);
    let hash = volume.hash();
    assert_eq!(volume.migrate(&[1, 2], &rotation).unwrap().rows, 0);
    assert_eq!(certified(volume.verify(&[2], Some(&rotation))), certificate);
    assert_eq!(volume.hash(), hash);
}

#[test]
fn keys_follow_each_other_and_the_log_holds_them_all() {
    let volume = Volume::with_rows(10);
    let before = volume.values(&[1]);
    let first = volume.rotate(&[1, 2], &task("first", &[1, 2]));
    volume.engine_runs(&[2]);
    let second = volume.rotate(&[2, 3], &task("second", &[2, 3]));
    let back = volume.rotate(&[3, 1], &task("back", &[3, 1]));
    assert_eq!(volume.values(&[1]), before);
    assert_eq!([first.epoch, second.epoch, back.epoch], [1, 2, 3]);
    // Keys of their own make tags of their own.
    assert_ne!(first.inventory_before, second.inventory_before);
    let text = serde_json::to_string(&second).unwrap();
    assert_eq!(
        verify_certificate(&text, &volume.vault(&[2, 3]), None).unwrap(),
        second
    );
    // Of several under one key, each has its own.
    let again = task("again", &[1, 2]);
    assert_ne!(volume.rotate(&[1, 2], &again), first);
    let asked = task("first", &[1, 2]);
    assert_eq!(certified(volume.verify(&[2], Some(&asked))), first);
}

#[test]
fn verify_by_itself_says_which_key_opened_everything_and_when() {
    let volume = Volume::with_rows(10);
    let Ok(Verdict::Verified(verified)) = volume.verify(&[1], None) else {
        panic!("not verified")
    };
    assert_eq!((verified.kid, verified.rows), (kid(1), 18));
    let (runtime, store) = volume.open(&[1]);
    let report = runtime.block_on(store.key_report()).unwrap();
    let last = report.last_verify.unwrap();
    assert_eq!((last.kid, report.rows_by_kid[&kid(1)]), (kid(1), 18));
}

#[test]
fn an_older_brain_is_brought_to_this_schema_with_the_first_write() {
    let volume = Volume::with_rows(3);
    volume.hand().run(
        "DROP TABLE rotation_log; DROP TABLE quarantine;
         ALTER TABLE key_state DROP COLUMN rotation_mode; ALTER TABLE key_state DROP COLUMN rotation_started_at;
         ALTER TABLE key_state DROP COLUMN inventory_root; ALTER TABLE key_state DROP COLUMN inventory_opens;
         DELETE FROM _sqlx_migrations WHERE version >= 20261121120000",
    );
    let before = volume.values(&[1]);
    volume.rotate(&[1, 2], &task("first", &[1, 2]));
    assert_eq!(volume.values(&[2]), before);
}
