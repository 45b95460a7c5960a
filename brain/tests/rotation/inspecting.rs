//! Looking at a brain beside whoever has it.

use userengine_brain::rotation::inspect;
use userengine_brain::vault::{SealedColumn, UnsealError};

use crate::support::{Volume, kid, runtime, task};

#[test]
fn lists_what_does_not_open_and_leaves_no_trace() {
    let volume = Volume::with_rows(10);
    volume
        .hand()
        .leave_in_log("UPDATE connections SET credentials = 'not a token' WHERE alias = 'mail-6'");
    let (hash, log) = (volume.hash(), volume.side("-wal"));
    let (config, vault) = (volume.config(), volume.vault(&[1]));
    let findings = runtime().block_on(inspect(&config, &vault)).unwrap();
    assert_eq!((volume.hash(), volume.side("-wal")), (hash, log));
    assert!(!findings.all_is_well());
    let names: Vec<_> = findings
        .stock
        .unreadable
        .iter()
        .map(|row| row.name.to_string())
        .collect();
    assert_eq!(names, ["connections/conn-00000000000000000006"]);
    assert_eq!(findings.stock.rows[&SealedColumn::ConnectionCredentials], 9);
}

#[test]
fn looks_while_the_engine_runs_and_while_a_rotation_is_open() {
    let volume = Volume::with_rows(10);
    volume.migrate(&[1, 2], &task("first", &[1, 2])).unwrap();
    let (living, _store) = volume.open(&[1, 2]);
    let (config, vault) = (volume.config(), volume.vault(&[2]));
    let findings = living.block_on(inspect(&config, &vault)).unwrap();
    assert!(findings.all_is_well());
    assert_eq!(findings.state.keys.open.unwrap().to, kid(2));
}

#[test]
fn without_the_key_everything_is_shut() {
    let volume = Volume::with_rows(10);
    let (config, vault) = (volume.config(), volume.vault(&[2]));
    let findings = runtime().block_on(inspect(&config, &vault)).unwrap();
    assert_eq!(findings.stock.unreadable.len(), 18);
}

#[test]
fn a_key_id_that_is_none_is_listed_and_ends_nothing() {
    let volume = Volume::with_rows(10);
    volume
        .hand()
        .run("UPDATE connections SET kid = 'no-key-id-at-all' WHERE alias = 'mail-6'");
    let (config, vault) = (volume.config(), volume.vault(&[1]));
    let findings = runtime().block_on(inspect(&config, &vault)).unwrap();
    let unreadable = &findings.stock.unreadable;
    assert_eq!(unreadable.len(), 1);
    assert_eq!(unreadable[0].why, UnsealError::NotAToken);
    assert_eq!(findings.stock.total(), 17);
}
