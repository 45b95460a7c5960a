//! The generated description.

use std::process::Command;

#[test]
fn the_committed_description_is_what_the_engine_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_engine"))
        .arg("openapi")
        .env_clear()
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed == include_str!("../openapi.json"),
        "run: cargo run -p userengine-engine -- openapi > engine/openapi.json"
    );
}

#[test]
fn keygen_prints_one_canonical_key_and_nothing_else() {
    let generate = || {
        let output = Command::new(env!("CARGO_BIN_EXE_engine"))
            .arg("keygen")
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        output.stdout
    };
    let (first, second) = (generate(), generate());
    let line = first.strip_suffix(b"\n").unwrap();
    assert!(userengine_api::key::EncryptionKey::parse(line).is_ok());
    assert_ne!(first, second);
}
