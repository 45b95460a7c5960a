//! Rings that stop the start.

use std::fs;

use tempfile::TempDir;
use userengine_api::refusal::{Refusal, RefusalReason};

use crate::support::process::Setup;
use crate::support::volume::Volume;
use crate::support::{key, key_text};

/// Each malformed text with a word that only its own message has.
fn malformed() -> Vec<(String, &'static str)> {
    let good = userengine_api::key::EncryptionKey::from_bytes([0xfb; 32])
        .text()
        .to_string();
    vec![
        (String::new(), "empty"),
        (format!("{good}\n"), "newline"),
        (good.replace('-', "+").replace('_', "/"), "standard"),
        (good.trim_end_matches('=').to_owned(), "padding"),
        (good[..20].to_owned(), "too short"),
        (format!("{}{good}", &good[..4]), "too long"),
        ("!".repeat(44), "not URL-safe base64"),
    ]
}

#[test]
fn a_malformed_variable_is_refused_with_its_own_reason() {
    for (text, word) in malformed() {
        let volume = Volume::new();
        let refusal = Setup::new(&volume)
            .with("AD_ENCRYPTION_KEY", &text)
            .refused(&volume);
        assert_eq!(refusal.reason, RefusalReason::KeyMalformed, "{refusal}");
        assert!(
            refusal.message.contains("AD_ENCRYPTION_KEY") && refusal.message.contains(word),
            "{word}: {refusal}"
        );
    }
}

fn refused_with_files(files: &[(&str, &str)]) -> Refusal {
    let (volume, ring) = (Volume::new(), TempDir::new().unwrap());
    for (name, text) in files {
        fs::write(ring.path().join(name), text).unwrap();
    }
    let setup = Setup::new(&volume)
        .without("AD_ENCRYPTION_KEY")
        .with("KEYRING_DIR", ring.path());
    setup.refused(&volume)
}

#[test]
fn a_malformed_file_is_refused_with_its_name_and_its_own_reason() {
    let kid = key(1).kid();
    for (text, word) in malformed() {
        let refusal = refused_with_files(&[(kid.as_str(), &text)]);
        assert_eq!(refusal.reason, RefusalReason::KeyMalformed, "{refusal}");
        assert!(
            refusal.message.contains(kid.as_str()) && refusal.message.contains(word),
            "{word}: {refusal}"
        );
    }
}

#[test]
fn a_file_that_is_not_named_by_its_key_is_refused() {
    let (one, two) = (key(1).kid(), key(2).kid());
    let not_a_kid = refused_with_files(&[("key", &key_text(1))]);
    let other = refused_with_files(&[(one.as_str(), &key_text(1)), (two.as_str(), &key_text(1))]);
    assert_eq!(
        (not_a_kid.reason, other.reason),
        (RefusalReason::KeyMislabelled, RefusalReason::KeyMislabelled)
    );
    assert!(not_a_kid.message.contains("\"key\""), "{not_a_kid}");
    assert!(
        other.message.contains(one.as_str()) && other.message.contains(two.as_str()),
        "{other}"
    );
}

#[test]
fn no_key_is_no_start() {
    let volume = Volume::new();
    let nothing = Setup::new(&volume)
        .without("AD_ENCRYPTION_KEY")
        .refused(&volume);
    let absent = Setup::new(&volume)
        .without("AD_ENCRYPTION_KEY")
        .with("KEYRING_DIR", "/nowhere")
        .refused(&volume);
    let hidden = refused_with_files(&[("..data", &key_text(1))]);
    for refusal in [nothing, absent, hidden] {
        assert_eq!(refusal.reason, RefusalReason::KeyMissing, "{refusal}");
    }
}

#[test]
fn both_sources_at_once_are_refused() {
    let volume = Volume::new();
    let refusal = Setup::new(&volume)
        .with("KEYRING_DIR", "/keys")
        .refused(&volume);
    assert_eq!(refusal.reason, RefusalReason::ConfigInvalid);
    assert!(
        refusal.message.contains("AD_ENCRYPTION_KEY") && refusal.message.contains("KEYRING_DIR")
    );
}
