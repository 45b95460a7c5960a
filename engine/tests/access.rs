//! API keys of a running engine.

use std::fs;

use crate::support::process::{API_KEY, Engine, Setup};
use crate::support::sha256;
use crate::support::volume::Volume;

fn status(engine: &Engine, key: &str) -> u16 {
    engine
        .api("/openapi.json", &format!("X-Engine-Key: {key}\r\n"))
        .status
}

#[test]
fn a_key_given_as_text_or_as_hash_is_the_same_key() {
    let volume = Volume::new();
    let plain = Setup::new(&volume)
        .without("ENGINE_KEY_HASH")
        .with("ENGINE_API_KEY", "some-key");
    let hashed = Setup::new(&volume).with(
        "ENGINE_KEY_HASH",
        format!("{}, {}", sha256("next"), sha256("some-key")),
    );
    for setup in [plain, hashed] {
        let engine = setup.start();
        assert_eq!(
            (status(&engine, "some-key"), status(&engine, "some-keys")),
            (200, 401)
        );
        assert!(engine.stop().status.success());
    }
}

#[test]
fn the_hash_file_is_followed_without_a_restart() {
    let (volume, outside) = (Volume::new(), tempfile::tempdir().unwrap());
    let file = outside.path().join("hashes");
    fs::write(&file, sha256("first")).unwrap();
    let engine = Setup::new(&volume)
        .without("ENGINE_KEY_HASH")
        .with("ENGINE_KEY_HASH_FILE", &file)
        .start();
    let hashes = |engine: &Engine| engine.internal("/keys").json()["api_key_hashes"].clone();
    assert_eq!(
        (status(&engine, "first"), status(&engine, "second")),
        (200, 401)
    );

    fs::write(
        &file,
        format!("{}\n{}\n", sha256("second"), sha256("first")),
    )
    .unwrap();
    assert_eq!(
        hashes(&engine),
        serde_json::json!([sha256("second")[..8], sha256("first")[..8]])
    );
    let old = engine.api("/openapi.json", "X-Engine-Key: first\r\n");
    assert!(
        old.status == 200 && old.head.contains("x-engine-key-status: retiring"),
        "{old:?}"
    );

    // As the kubelet does it: a new file under the old name.
    fs::write(outside.path().join("new"), sha256("second")).unwrap();
    fs::rename(outside.path().join("new"), &file).unwrap();
    assert_eq!(
        (status(&engine, "first"), status(&engine, "second")),
        (401, 200)
    );
}

#[test]
fn a_hash_file_that_went_bad_keeps_the_old_list() {
    let (volume, outside) = (Volume::new(), tempfile::tempdir().unwrap());
    let file = outside.path().join("hashes");
    fs::write(&file, sha256(API_KEY)).unwrap();
    let mut engine = Setup::new(&volume)
        .without("ENGINE_KEY_HASH")
        .with("ENGINE_KEY_HASH_FILE", &file)
        .start();
    for bad in ["", "not a hash", &"0".repeat(63)] {
        fs::write(&file, bad).unwrap();
        assert_eq!(
            (status(&engine, API_KEY), status(&engine, "")),
            (200, 401),
            "{bad:?}"
        );
        engine.wait_for("kept the old API key hashes");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(status(&engine, API_KEY), 200);
    engine.wait_for("kept the old API key hashes");
    fs::write(&file, sha256("other")).unwrap();
    assert_eq!(
        (status(&engine, API_KEY), status(&engine, "other")),
        (401, 200)
    );
}
