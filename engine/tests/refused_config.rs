//! Settings that stop the start.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use userengine_api::refusal::RefusalReason;

use crate::support::process::Setup;
use crate::support::volume::Volume;
use crate::support::{key_text, sha256};

#[test]
fn a_wrong_value_is_named_and_not_repeated() {
    let hash_and_more = format!("{},zz", sha256("a"));
    let cases = [
        ("SQLITE_DB_PATH", ""),
        ("SQLITE_DB_PATH", "/"),
        ("BRAIN_MODE", "maybe-later"),
        ("BRAIN_WAIT_SECONDS", "601"),
        ("CLIENT_METADATA_DOCUMENT", "on"),
        ("BRAIN_MODE", "Create"),
        ("BRAIN_MODE", ""),
        ("DATABASE_ID", ""),
        ("DATABASE_ID", "under_score"),
        (
            "DATABASE_ID",
            "a123456789b123456789c123456789d123456789e123456789f123456789g123",
        ),
        ("ENGINE_KEY_HASH", ""),
        ("ENGINE_KEY_HASH", "plain-key-by-mistake"),
        ("ENGINE_KEY_HASH", &hash_and_more),
        ("ENGINE_LOG_LEVEL", "verbose"),
        ("ENGINE_LOG_LEVEL", "3"),
        ("ENGINE_LOG_FORMAT", "plain"),
        ("LISTEN_ADDR", "8181"),
        ("LISTEN_ADDR", "localhost:8080"),
        ("LISTEN_ADDR", "127.0.0.1:65536"),
        ("INTERNAL_ADDR", "nowhere"),
        ("PUBLIC_URL", "engine.example.com"),
        ("PUBLIC_URL", "http://engine.example.com"),
        ("PUBLIC_URL", "https://engine.example.com/?a=b"),
        ("PUBLIC_URL", "https://engine.example.com/#a"),
        ("PUBLIC_URL", "https://user@engine.example.com"),
        ("PUBLIC_URL", "https://:pass@engine.example.com"),
        ("PUBLIC_URL", "https://@engine.example.com"),
        ("PUBLIC_URL", "ftp://localhost"),
        ("SHUTDOWN_GRACE_SECONDS", "0"),
        ("SHUTDOWN_GRACE_SECONDS", "601"),
        ("SHUTDOWN_GRACE_SECONDS", "-1"),
        ("SHUTDOWN_GRACE_SECONDS", "25s"),
    ];
    for (variable, value) in cases {
        let volume = Volume::new();
        let refusal = Setup::new(&volume).with(variable, value).refused(&volume);
        assert_eq!(
            refusal.reason,
            RefusalReason::ConfigInvalid,
            "{variable}={value}: {refusal}"
        );
        assert!(
            refusal.message.contains(variable) && refusal.message.contains("expected"),
            "{variable}={value}: {refusal}"
        );
        assert!(
            value.len() < 4 || !refusal.message.contains(value),
            "{variable}={value}: {refusal}"
        );
    }
}

#[test]
fn a_value_that_is_not_text_is_named() {
    for variable in [
        "DATABASE_ID",
        "LISTEN_ADDR",
        "ENGINE_KEY_HASH",
        "AD_ENCRYPTION_KEY",
    ] {
        let volume = Volume::new();
        let refusal = Setup::new(&volume)
            .with(variable, OsString::from_vec(vec![0xff]))
            .refused(&volume);
        assert_eq!(refusal.reason, RefusalReason::ConfigInvalid);
        assert!(refusal.message.contains(variable), "{refusal}");
    }
}

#[test]
fn exactly_one_source_of_the_api_key_is_set() {
    let volume = Volume::new();
    let none = Setup::new(&volume)
        .without("ENGINE_KEY_HASH")
        .refused(&volume);
    let two = Setup::new(&volume)
        .with("ENGINE_API_KEY", "some-key")
        .refused(&volume);
    let file = Setup::new(&volume)
        .with("ENGINE_KEY_HASH_FILE", "/nowhere")
        .refused(&volume);
    for refusal in [none, two, file] {
        assert_eq!(refusal.reason, RefusalReason::ConfigInvalid);
        for variable in ["ENGINE_API_KEY", "ENGINE_KEY_HASH", "ENGINE_KEY_HASH_FILE"] {
            assert!(refusal.message.contains(variable), "{refusal}");
        }
    }
}

#[test]
fn an_api_key_that_no_header_can_carry_is_refused() {
    for key in ["", "two words", "newline\n", "ümlaut"] {
        let volume = Volume::new();
        let refusal = Setup::new(&volume)
            .without("ENGINE_KEY_HASH")
            .with("ENGINE_API_KEY", key)
            .refused(&volume);
        assert_eq!(refusal.reason, RefusalReason::ConfigInvalid, "{key:?}");
        assert!(refusal.message.contains("ENGINE_API_KEY"), "{refusal}");
    }
}

#[test]
fn a_hash_file_must_be_good_at_the_start() {
    let (volume, outside) = (Volume::new(), tempfile::tempdir().unwrap());
    let bad = outside.path().join("bad");
    std::fs::write(&bad, "plain-key-by-mistake").unwrap();
    for file in [outside.path().join("absent"), bad] {
        let setup = Setup::new(&volume)
            .without("ENGINE_KEY_HASH")
            .with("ENGINE_KEY_HASH_FILE", &file);
        let refusal = setup.refused(&volume);
        assert_eq!(refusal.reason, RefusalReason::ConfigInvalid);
        assert!(
            refusal.message.contains("ENGINE_KEY_HASH_FILE")
                && !refusal.message.contains("by-mistake")
        );
    }
}

#[test]
fn two_listeners_do_not_share_an_address() {
    let volume = Volume::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let same = Setup::new(&volume)
        .with("LISTEN_ADDR", &address)
        .with("INTERNAL_ADDR", &address)
        .refused(&volume);
    let busy = Setup::new(&volume)
        .with("LISTEN_ADDR", &address)
        .refused(&volume);
    assert_eq!(
        (same.reason, busy.reason),
        (RefusalReason::ConfigInvalid, RefusalReason::ConfigInvalid)
    );
    assert!(
        same.message.contains("INTERNAL_ADDR") && busy.message.contains("LISTEN_ADDR"),
        "{same} {busy}"
    );
}

#[test]
fn a_public_url_on_loopback_may_be_plain_http() {
    for url in [
        "https://engine.example.com",
        "https://engine.example.com:8443/user/a",
        "http://localhost:8080",
        "http://[::1]:1",
        "http://127.1.2.3",
    ] {
        let volume = Volume::new();
        assert!(
            Setup::new(&volume)
                .with("PUBLIC_URL", url)
                .start()
                .stop()
                .status
                .success(),
            "{url}"
        );
    }
}

#[test]
fn an_encryption_key_is_never_repeated() {
    let volume = Volume::new();
    for text in [format!("{}\n", key_text(1)), key_text(1)[..43].to_owned()] {
        let refusal = Setup::new(&volume)
            .with("AD_ENCRYPTION_KEY", &text)
            .refused(&volume);
        assert!(!refusal.message.contains(&text[..8]), "{refusal}");
    }
}

#[test]
fn outside_a_pod_no_termination_log_appears() {
    let outside = tempfile::tempdir().unwrap();
    let log = outside.path().join("termination-log");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_engine"))
        .args(["serve", "--termination-log"])
        .arg(&log)
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(65), "no encryption key");
    assert!(!log.exists());
}
