//! Rows that nobody can open, and keys that somebody else may have.

use std::time::Duration;

use userengine_api::refusal::RefusalReason::RowsUnreadable;
use userengine_brain::clock::Clock;
use userengine_brain::rotation::Task;
use userengine_rotation::request::Mode;

use crate::support::{Volume, certified, kid, reason, task};

const BROKEN: &str = "UPDATE connections SET credentials = 'not a token' WHERE alias = 'mail-3';
     UPDATE oauth_clients SET client_secret = 'not a token' WHERE id = '1'";

fn with_set_aside(rows: &[&str]) -> Task {
    let rows = rows.iter().map(|row| (*row).to_owned().try_into().unwrap());
    Task {
        set_aside: rows.collect(),
        ..task("first", &[1, 2])
    }
}

#[test]
fn every_row_that_does_not_open_must_be_named() {
    let volume = Volume::with_rows(10);
    volume.hand().run(BROKEN);
    let one = with_set_aside(&["connections/conn-00000000000000000003"]);
    let hash = volume.hash();
    assert_eq!(reason(volume.migrate(&[1, 2], &one)), RowsUnreadable);
    assert_eq!(volume.hash(), hash);
}

#[test]
fn a_row_that_was_named_goes_to_the_quarantine_as_it_is_and_holds_its_key() {
    let volume = Volume::with_rows(10);
    volume.hand().run(BROKEN);
    // A row that opens stays, though somebody named it; one that is not there is no mistake.
    let both = with_set_aside(&[
        "connections/conn-00000000000000000003",
        "oauth_clients/1",
        "connections/conn-00000000000000000004",
        "connections/conn-99999999999999999999",
    ]);
    let certificate = volume.rotate(&[1, 2], &both);
    assert_eq!(certificate.quarantined, 2);
    assert_eq!(certificate.rows["connections.credentials"], 9);
    let hand = volume.hand();
    assert_eq!(
        hand.text(
            "SELECT group_concat(row_table || '/' || row_id || '=' || token, ' ') FROM quarantine"
        ),
        "connections/conn-00000000000000000003=not a token oauth_clients/1=not a token"
    );
    let shown = hand.text("SELECT status || ' ' || (credentials IS NULL) || ' ' || last_error FROM connections WHERE alias = 'mail-3'");
    assert_eq!(
        shown,
        "expired 1 the credential opened with no key and was set aside: connect again"
    );
    assert_eq!(hand.number("SELECT COUNT(*) FROM oauth_clients"), 2);
    assert_eq!(
        hand.number("SELECT COUNT(*) FROM rotation_log WHERE event = 'set_aside'"),
        2
    );

    let (runtime, store) = volume.open(&[2]);
    let report = runtime.block_on(store.key_report()).unwrap();
    assert_eq!(
        report.rows_by_kid[&kid(1)],
        2,
        "the old key is still needed"
    );
}

#[test]
fn after_a_compromise_every_credential_waits_for_fresh_consent() {
    let volume = Volume::with_rows(4);
    volume
        .hand()
        .run("UPDATE connections SET status = 'revoked' WHERE alias = 'mail-1'");
    let before = volume.values(&[1]);
    let rotation = Task {
        mode: Mode::Compromised,
        ..task("first", &[1, 2])
    };
    volume.migrate(&[1, 2], &rotation).unwrap();
    let certificate = certified(volume.verify(&[2], Some(&rotation)));
    assert_eq!(certificate.mode, Mode::Compromised);
    assert_eq!(volume.values(&[2]), before);
    let shown = volume.hand().text(
        "SELECT group_concat(status, ' ') FROM (SELECT status FROM connections ORDER BY ref_id)",
    );
    assert_eq!(shown, "expired revoked expired expired");
    assert_eq!(
        volume
            .hand()
            .number("SELECT COUNT(*) FROM connections WHERE last_error LIKE '%connect again%'"),
        3
    );
}

#[test]
fn a_rerun_goes_on_with_what_was_begun_and_asks_no_owner_twice() {
    let began = "2026-11-21T10:00:00Z";
    let volume = Volume::with_rows(4).with_clock(Clock::manual(began.parse().unwrap()));
    let first = Task {
        mode: Mode::Compromised,
        ..task("first", &[1, 2])
    };
    volume.migrate(&[1, 2], &first).unwrap();
    let hand = volume.hand();
    hand.run("UPDATE connections SET status = 'connected' WHERE alias = 'mail-1'");
    volume.engine_clock_ahead(Duration::from_mins(5));
    let certificate = volume.rotate(&[1, 2], &task("first", &[1, 2]));
    assert_eq!(certificate.mode, Mode::Compromised);
    assert_eq!((certificate.from, certificate.epoch), (kid(1), 2));
    assert_eq!(certificate.started_at, began);
    let asked = "SELECT COUNT(*) FROM connections WHERE status = 'expired'";
    assert_eq!(hand.number(asked), 3);
    assert_eq!(
        hand.text(
            "SELECT group_concat(event, ' ') FROM (SELECT event FROM rotation_log ORDER BY seq)"
        ),
        "begun resumed certified"
    );
}

#[test]
fn a_refresh_that_came_to_no_end_names_no_key_that_leaves() {
    let volume = Volume::with_rows(4);
    let old = kid(1);
    volume.hand().run(&format!(
        "INSERT INTO refresh_intents SELECT ref_id, 0, '{old}', '' FROM connections LIMIT 1"
    ));
    volume.rotate(&[1, 2], &task("first", &[1, 2]));
    let named = volume.hand().text("SELECT write_kid FROM refresh_intents");
    assert_eq!(named, kid(2).as_str());
}
