//! The containers of a rotation's Job, as processes.

use std::fs;
use std::process::Command;

use ring::digest::{SHA256, digest};
use serde_json::Value;
use tempfile::TempDir;
use userengine_api::refusal::RefusalReason;
use userengine_rotation::verdict::{Refused, Verdict};

use crate::support::process::Setup;
use crate::support::volume::Volume;
use crate::support::{key, key_text};

/// A folder with these keys.
pub fn ring(numbers: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for number in numbers {
        let name = key(*number).kid();
        fs::write(folder.path().join(name.as_str()), key_text(*number)).unwrap();
    }
    folder
}

/// A brain of key 1, handed over.
pub fn volume() -> Volume {
    let volume = Volume::new();
    assert!(Setup::new(&volume).start().stop().status.success());
    volume
}

/// A container of the rotation `first` from key 1 to key 2.
pub fn job(subcommand: &'static str, volume: &Volume, ring: &TempDir) -> Setup {
    Setup::job(subcommand, volume, ring.path())
        .with("ROTATION_ID", "first")
        .with("ROTATION_FROM", key(1).kid().as_str())
        .with("ROTATION_TO", key(2).kid().as_str())
        .with("ENGINE_IMAGE", "registry.example/engine:1")
}

/// It did not come to its end, and its exit code says why.
pub fn refused((verdict, ended): (Verdict, crate::support::process::Ended)) -> Refused {
    let Verdict::Refused(refused) = verdict else {
        panic!("not refused: {verdict:?}")
    };
    let code = i32::from(refused.refusal.reason.exit_code());
    assert_eq!(ended.status.code(), Some(code));
    refused
}

#[test]
fn the_job_changes_the_key_and_the_engine_says_when_it_was_verified() {
    let volume = volume();
    let (both, new) = (ring(&[1, 2]), ring(&[2]));
    let (migrated, ended) = job("migrate", &volume, &both).verdict();
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(matches!(migrated, Verdict::Migrated(_)));
    let (certified, ended) = job("verify", &volume, &new).verdict();
    assert!(ended.status.success(), "{}", ended.stderr);
    let Verdict::Certified(certificate) = certified else {
        panic!("{certified:?}")
    };
    assert_eq!(certificate.image, "registry.example/engine:1");
    let program = fs::read(env!("CARGO_BIN_EXE_engine")).unwrap();
    let hash = userengine_api::hex::hex(digest(&SHA256, &program).as_ref());
    assert_eq!(certificate.binary, format!("sha256:{hash}"));

    let engine = Setup::new(&volume)
        .with("AD_ENCRYPTION_KEY", key_text(2))
        .start();
    let keys: Value = serde_json::from_str(&engine.internal("/keys").body).unwrap();
    let new_kid = key(2).kid();
    assert_eq!(keys["write_kid"], new_kid.as_str());
    assert_eq!(keys["last_verify"]["kid"], new_kid.as_str());
    assert!(engine.stop().status.success());
    // The old key alone opens nothing any more.
    assert_eq!(
        Setup::new(&volume).refused(&volume).reason,
        RefusalReason::KeyForeign
    );
}

#[test]
fn each_container_refuses_what_it_must_not_do_and_says_whether_anything_was_touched() {
    let volume = volume();
    let (both, new) = (ring(&[1, 2]), ring(&[2]));
    let before = volume.content();
    let reversed = job("migrate", &volume, &both)
        .with("ROTATION_FROM", key(2).kid().as_str())
        .with("ROTATION_TO", key(1).kid().as_str());
    let refusal = refused(reversed.verdict());
    assert_eq!(refusal.refusal.reason, RefusalReason::RotationReversed);
    assert_eq!(
        (refusal.write_kid, refusal.touched),
        (Some(key(1).kid()), false)
    );
    let without = Setup::job("migrate", &volume, both.path());
    assert_eq!(
        refused(without.verdict()).refusal.reason,
        RefusalReason::ConfigInvalid
    );
    assert_eq!(volume.content(), before);

    job("migrate", &volume, &both).verdict();
    let too_many = refused(job("verify", &volume, &both).verdict());
    assert_eq!(too_many.refusal.reason, RefusalReason::KeyForeign);
    assert!(too_many.touched);
    assert!(job("verify", &volume, &new).verdict().1.status.success());
}

#[test]
fn a_malformed_setting_is_named_and_never_repeated() {
    let volume = volume();
    let both = ring(&[1, 2]);
    for (variable, value) in [
        ("ROTATION_ID", "no spaces"),
        ("ROTATION_FROM", "0123,"),
        ("ROTATION_TO", "0123"),
        ("ROTATION_MODE", "Careless"),
        ("ROTATION_SET_ASIDE", "connections"),
        ("INTERNAL_ADDR", "nowhere"),
    ] {
        let refusal = refused(
            job("migrate", &volume, &both)
                .with(variable, value)
                .verdict(),
        );
        assert_eq!(refusal.refusal.reason, RefusalReason::ConfigInvalid);
        assert!(
            refusal.refusal.message.starts_with(variable),
            "{}",
            refusal.refusal
        );
        assert!(
            !refusal.refusal.message.contains(value),
            "{}",
            refusal.refusal
        );
    }
}

#[test]
fn people_can_look_into_a_brain_and_check_a_certificate_without_a_cluster() {
    let volume = volume();
    let (both, new) = (ring(&[1, 2]), ring(&[2]));
    job("migrate", &volume, &both).verdict();
    let (certified, _) = job("verify", &volume, &new).verdict();
    let file = volume.file("certificate.json");
    fs::write(&file, serde_json::to_string(&certified).unwrap()).unwrap();
    let engine = |arguments: &[&str], ring: &TempDir| {
        Command::new(env!("CARGO_BIN_EXE_engine"))
            .args(arguments)
            .env_clear()
            .env("SQLITE_DB_PATH", volume.brain())
            .env("KEYRING_DIR", ring.path())
            .output()
            .unwrap()
    };
    let before = volume.content();
    let checked = engine(&["check"], &new);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(
        said.contains("opens             1  key_canary.sealed"),
        "{said}"
    );
    assert_eq!(checked.status.code(), Some(0));
    assert_eq!(engine(&["check"], &ring(&[3])).status.code(), Some(67));

    let (file, brain) = (file.to_str().unwrap(), volume.brain());
    let verify = [
        "certificate",
        "verify",
        file,
        "--brain",
        brain.to_str().unwrap(),
    ];
    let genuine = engine(&verify, &new);
    assert_eq!(genuine.status.code(), Some(0));
    let said = String::from_utf8(genuine.stdout).unwrap();
    assert!(
        said.contains("made by this very program, sha256:"),
        "{said}"
    );
    let (old, text) = (ring(&[1]), fs::read_to_string(file).unwrap());
    assert_eq!(engine(&verify, &old).status.code(), Some(67));
    assert_eq!(volume.content(), before);
    // Whoever else is named in it, it was made by somebody else.
    for (is, is_not) in [
        ("\"quarantined\":0", "\"quarantined\":1"),
        ("\"binary\":\"sha256:", "\"binary\":\"sha256:0"),
    ] {
        assert!(text.contains(is), "{text}");
        fs::write(file, text.replace(is, is_not)).unwrap();
        assert_eq!(engine(&verify, &new).status.code(), Some(67), "{is_not}");
    }
}
