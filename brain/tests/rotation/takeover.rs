//! Runs that meet other runs, engines in between, and whatever else came between beginning and end.

use userengine_api::refusal::RefusalReason::{
    BrainCorrupt, InventoryChanged, RotationInterrupted, RotationOver, RotationReversed,
};
use userengine_brain::store::rotation::{Baseline, Beginning, Halted, Reading};
use userengine_brain::vault::SealedColumn;
use userengine_rotation::request::Mode;
use userengine_rotation::verdict::Step;

use crate::support::{Volume, certified, kid, place, reason, runtime, secret, task};

/// Begun, and not migrated to the end: as if killed after the epoch transaction.
fn begun(rows: usize) -> Volume {
    let volume = Volume::with_rows(rows);
    volume.migrate(&[1, 2], &task("first", &[1, 2])).unwrap();
    volume.unseal_some(&[1, 2]);
    volume
}

#[test]
fn a_run_whose_epoch_was_taken_changes_nothing_any_more() {
    let volume = Volume::with_rows(10);
    let (config, vault) = (volume.config(), volume.vault(&[1, 2]));
    let swaps = [volume.swap(&vault, 3)];
    // What a refresh would leave: another token under the same key.
    let mut refreshed = volume.swap(&vault, 4);
    refreshed.old = vault.seal(&kid(1), &place(4), &secret(99)).unwrap();
    runtime().block_on(async {
        let halted = Halted::enter(&config, &vault).await.unwrap();
        let mut reading = halted.look().await.unwrap();
        let state = reading.state().await.unwrap();
        let rotation = task("first", &[1, 2]);
        let baseline = Baseline {
            mode: Mode::Normal,
            started_at: String::new(),
            root: "0".repeat(64),
            opens: state.opens,
        };
        let beginning = Beginning {
            order: &rotation.order,
            keys: &state.keys,
            baseline: &baseline,
            resumed: false,
            set_aside: &[],
            at: "2026-11-21T10:00:00Z".parse().unwrap(),
        };
        let (mut one, mut other) = (
            halted.change().await.unwrap(),
            halted.change().await.unwrap(),
        );
        assert_eq!(one.begin(&vault, &beginning).await.unwrap(), Some(1));
        assert_eq!(other.begin(&vault, &beginning).await.unwrap(), None);
        let column = SealedColumn::ConnectionCredentials;
        assert_eq!(other.swap(column, &kid(2), 0, &swaps).await.unwrap(), 0);
        assert_eq!(other.swap(column, &kid(2), 1, &swaps).await.unwrap(), 1);
        let refreshed = [refreshed];
        assert_eq!(one.swap(column, &kid(2), 1, &refreshed).await.unwrap(), 0);
        // What was opened is not there any more: the same again replaces nothing.
        assert_eq!(one.swap(column, &kid(2), 1, &swaps).await.unwrap(), 0);
    });
}

#[test]
fn another_rotation_takes_over_and_the_first_is_over() {
    let volume = begun(10);
    let before = volume.values(&[1, 2]);
    volume.rotate(&[1, 2, 3], &task("second", &[1, 2, 3]));
    assert_eq!(volume.values(&[3]), before);
    let hash = volume.hash();
    let first = task("first", &[1, 2]);
    assert_eq!(reason(volume.migrate(&[1, 2, 3], &first)), RotationOver);
    assert_eq!(volume.hash(), hash);
}

#[test]
fn the_way_back_is_a_rotation_too() {
    let volume = begun(10);
    let before = volume.values(&[1, 2]);
    volume.rotate(&[1, 2, 1], &task("back", &[1, 2, 1]));
    assert_eq!(volume.values(&[1]), before);
    volume.engine_runs(&[1]);
}

#[test]
fn the_same_id_with_another_target_is_refused() {
    let volume = begun(10);
    let hash = volume.hash();
    let other = task("first", &[1, 2, 3]);
    assert_eq!(reason(volume.migrate(&[1, 2, 3], &other)), RotationReversed);
    assert_eq!(volume.hash(), hash);
}

#[test]
fn an_order_is_over_once_a_later_one_has_begun_whoever_gave_it() {
    let volume = Volume::with_rows(5);
    let opened = |id: &str, keys: &[u8], at: Option<i64>| {
        let mut rotation = task(id, keys);
        rotation.order.opened = at;
        rotation
    };
    assert_eq!(latest(&volume), None);
    let first = opened("first", &[1, 2], Some(100));
    volume.migrate(&[1, 2], &first).unwrap();
    assert_eq!(latest(&volume), Some(100));
    // What has begun goes on, although nothing is later than itself.
    volume.rotate(&[1, 2], &first);
    let hash = volume.hash();
    for at in [99, 100] {
        let late = opened("late", &[2, 3], Some(at));
        assert_eq!(reason(volume.migrate(&[2, 3], &late)), RotationOver);
    }
    assert_eq!((volume.hash(), latest(&volume)), (hash, Some(100)));
    volume.rotate(&[2, 3], &opened("second", &[2, 3], Some(101)));
    // Given by hand, it has no time of its own, and takes none away.
    volume.rotate(&[3, 4], &opened("by-hand", &[3, 4], None));
    assert_eq!(latest(&volume), Some(101));
    let late = opened("late", &[4, 5], Some(101));
    assert_eq!(reason(volume.migrate(&[4, 5], &late)), RotationOver);
}

/// The latest opening that the brain knows of.
fn latest(volume: &Volume) -> Option<i64> {
    runtime().block_on(async {
        let mut reading = Reading::of_quiet(&volume.brain()).await.unwrap().unwrap();
        reading.state().await.unwrap().keys.latest
    })
}

#[test]
fn an_engine_in_between_may_change_values_and_migrate_takes_stock_anew() {
    let volume = begun(10);
    volume.engine_runs(&[1, 2]);
    volume.hand().fill_more(&volume.vault(&[1, 2]), &kid(2));
    let before = volume.values(&[1, 2]);
    let certificate = volume.rotate(&[1, 2], &task("first", &[1, 2]));
    assert_eq!(certificate.rows["connections.credentials"], 11);
    assert_eq!(volume.values(&[2]), before);
}

#[test]
fn no_certificate_after_an_engine_ran_between_migrate_and_verify() {
    let volume = Volume::with_rows(10);
    let rotation = task("first", &[1, 2]);
    volume.migrate(&[1, 2], &rotation).unwrap();
    volume.engine_runs(&[1, 2]);
    assert_eq!(
        reason(volume.verify(&[2], Some(&rotation))),
        InventoryChanged
    );
    volume.migrate(&[1, 2], &rotation).unwrap();
    certified(volume.verify(&[2], Some(&rotation)));
}

#[test]
fn values_that_changed_with_no_engine_near_are_found_and_written_down() {
    let volume = Volume::with_rows(10);
    let rotation = task("first", &[1, 2]);
    volume.migrate(&[1, 2], &rotation).unwrap();
    volume
        .hand()
        .run("DELETE FROM connections WHERE alias = 'mail-3'");
    let hash = volume.hash();
    assert_eq!(reason(volume.migrate(&[1, 2], &rotation)), InventoryChanged);
    assert_eq!(volume.hash(), hash);
    assert_eq!(
        reason(volume.verify(&[2], Some(&rotation))),
        InventoryChanged
    );
    let refused = "SELECT COUNT(*) FROM rotation_log WHERE event = 'refused'";
    assert_eq!(volume.hand().number(refused), 1);
}

#[test]
fn told_to_stop_it_ends_between_two_transactions_and_a_rerun_goes_on() {
    let volume = begun(6100);
    let before = volume.values(&[1, 2]);
    let left = |volume: &Volume| {
        let old = kid(1);
        volume.hand().number(&format!(
            "SELECT COUNT(*) FROM connections WHERE kid = '{old}'"
        ))
    };
    assert!(left(&volume) > 3000);
    // Told at the beginning, and told once the first page was written.
    for (step, written) in [(Step::Opening, false), (Step::Migrating, true)] {
        let before = left(&volume);
        let stopped = volume.migrate_until(&[1, 2], &task("first", &[1, 2]), step);
        assert_eq!(reason(stopped), RotationInterrupted);
        assert_eq!(left(&volume) < before, written, "{step:?}");
        assert_ne!(left(&volume), 0);
    }
    assert_eq!(volume.values(&[1, 2]), before);
    volume.rotate(&[1, 2], &task("first", &[1, 2]));
    assert_eq!(volume.values(&[2]), before);
}

#[test]
fn the_log_only_grows_and_a_change_in_it_is_found() {
    let volume = Volume::with_rows(3);
    let certificate = volume.rotate(&[1, 2], &task("first", &[1, 2]));
    let hand = volume.hand();
    for statement in [
        "DELETE FROM rotation_log",
        "UPDATE rotation_log SET at = ''",
        "INSERT OR REPLACE INTO rotation_log SELECT seq, at, event, rotation, write_kid, '{}', previous, hash FROM rotation_log WHERE seq = 1",
    ] {
        assert!(hand.fails(statement), "{statement}");
    }
    let text = serde_json::to_string(&certificate).unwrap();
    assert!(volume.checked_against_its_log(&text).is_ok());
    hand.run("DROP TRIGGER rotation_log_is_never_changed; UPDATE rotation_log SET details = '{}' WHERE seq = 1");
    let next = task("second", &[2, 3]);
    assert_eq!(reason(volume.migrate(&[2, 3], &next)), BrainCorrupt);
}
