//! Sealing anew where not every value lets itself be replaced.

use userengine_api::refusal::RefusalReason::BrainCorrupt;
use userengine_brain::rotation::RotationError;

use crate::support::{Volume, kid, reason, task};

/// A write of one connection's credential meets this, if it holds. The write itself does nothing.
fn meets(volume: &Volume, condition: &str, action: &str) {
    volume.hand().run(&format!(
        "CREATE TRIGGER met BEFORE UPDATE OF credentials ON connections WHEN OLD.alias = 'mail-3' AND {condition}
         BEGIN {action}; SELECT RAISE(IGNORE); END"
    ));
}

#[test]
fn a_value_that_could_not_be_replaced_is_met_by_the_next_round() {
    let volume = Volume::with_rows(5);
    let before = volume.values(&[1]);
    // Until the round has come to its last column.
    let early = "EXISTS (SELECT 1 FROM pending_revocations WHERE kid <> NEW.kid)";
    meets(&volume, early, "SELECT 1");
    let rotation = task("first", &[1, 2]);
    assert_eq!(volume.migrate(&[1, 2], &rotation).unwrap().rows, 12);
    assert_eq!(volume.values(&[2]), before);
}

#[test]
fn a_value_that_is_never_replaced_ends_it_and_a_rerun_goes_on() {
    let volume = Volume::with_rows(5);
    let before = volume.values(&[1]);
    meets(&volume, "TRUE", "SELECT 1");
    let rotation = task("first", &[1, 2]);
    let stuck = volume.migrate(&[1, 2], &rotation).unwrap_err();
    assert!(matches!(stuck, RotationError::Stuck(1)), "{stuck}");
    assert_eq!(reason::<()>(Err(stuck)), BrainCorrupt);
    volume.hand().run("DROP TRIGGER met");
    volume.rotate(&[1, 2], &rotation);
    assert_eq!(volume.values(&[2]), before);
}

#[test]
fn a_run_whose_epoch_is_taken_on_the_way_writes_nothing_more() {
    let volume = Volume::with_rows(5);
    let before = volume.values(&[1]);
    meets(&volume, "TRUE", "UPDATE key_state SET epoch = epoch + 1");
    let rotation = task("first", &[1, 2]);
    let fenced = volume.migrate(&[1, 2], &rotation).unwrap_err();
    assert!(matches!(fenced, RotationError::Fenced), "{fenced}");
    let old = kid(1);
    let left = format!("SELECT COUNT(*) FROM oauth_clients WHERE kid = '{old}'");
    assert_eq!(volume.hand().number(&left), 3);
    volume.hand().run("DROP TRIGGER met");
    volume.rotate(&[1, 2], &rotation);
    assert_eq!(volume.values(&[2]), before);
}
