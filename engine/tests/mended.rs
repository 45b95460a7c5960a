//! Starts that are refused again for what was told already, until it is mended.

use std::fs;

use userengine_api::refusal::RefusalReason;

use crate::support::process::{API_KEY, Setup};
use crate::support::volume::Volume;
use crate::support::{key_text, sha256};

const WAITING: &str = "refused as before: waiting until it is mended";

/// An engine whose brain was taken away, and that was told so; and the brain.
struct Bereft {
    volume: Volume,
    outside: tempfile::TempDir,
    brain: Vec<u8>,
}

impl Bereft {
    fn new() -> Self {
        let volume = Volume::new();
        let bereft = Self {
            outside: tempfile::tempdir().unwrap(),
            brain: {
                assert!(Setup::new(&volume).start().stop().status.success());
                let brain = fs::read(volume.brain()).unwrap();
                fs::remove_file(volume.brain()).unwrap();
                brain
            },
            volume,
        };
        bereft.is_refused(RefusalReason::BrainMissing);
        bereft
    }

    fn setup(&self) -> Setup {
        Setup::new(&self.volume)
            .with("BRAIN_MODE", "existing")
            .with("REFUSAL_FILE", self.outside.path().join("refusal"))
    }

    fn is_refused(&self, reason: RefusalReason) {
        assert_eq!(self.setup().refused(&self.volume).reason, reason);
    }

    fn put_back(&self) {
        fs::write(self.volume.brain(), &self.brain).unwrap();
    }
}

#[test]
fn an_engine_that_was_refused_is_back_once_it_is_mended_without_a_restart() {
    let bereft = Bereft::new();
    let before = bereft.volume.content();
    let mut engine = bereft.setup().spawn();
    assert_eq!(engine.wait_for(WAITING)["reason"], "BrainMissing");
    assert_eq!(bereft.volume.content(), before, "it stays as it was");
    bereft.put_back();
    engine.wait_for("serving");
    let ended = engine.stop();
    assert!(ended.status.success(), "{}", ended.stderr);
    // It came up in between, so nobody was told.
    fs::remove_file(bereft.volume.brain()).unwrap();
    bereft.is_refused(RefusalReason::BrainMissing);
}

#[test]
fn what_was_not_told_ends_the_process_and_is_waited_for_afterwards() {
    let bereft = Bereft::new();
    fs::write(bereft.volume.brain(), "letters ".repeat(2048)).unwrap();
    bereft.is_refused(RefusalReason::BrainForeign);
    let mut engine = bereft.setup().spawn();
    assert_eq!(engine.wait_for(WAITING)["reason"], "BrainForeign");
    fs::remove_file(bereft.volume.brain()).unwrap();
    let ended = engine.wait();
    assert_eq!(
        ended.status.code(),
        Some(RefusalReason::BrainMissing.exit_code().into()),
        "{}",
        ended.stderr
    );
}

#[test]
fn an_engine_that_waits_to_be_mended_stops_when_it_is_told_and_the_next_one_tells_again() {
    let bereft = Bereft::new();
    let mut engine = bereft.setup().spawn();
    engine.wait_for(WAITING);
    assert!(engine.stop().status.success());
    bereft.is_refused(RefusalReason::BrainMissing);
}

#[test]
fn an_engine_that_is_killed_while_it_waits_tells_again() {
    let bereft = Bereft::new();
    let mut engine = bereft.setup().spawn();
    engine.wait_for(WAITING);
    engine.kill();
    bereft.is_refused(RefusalReason::BrainMissing);
}

#[test]
fn an_engine_whose_api_keys_are_put_right_is_back_without_a_restart() {
    let (volume, outside) = (Volume::new(), tempfile::tempdir().unwrap());
    let hashes = outside.path().join("hashes");
    fs::create_dir(&hashes).unwrap();
    let file = hashes.join("hashes");
    fs::write(&file, "no hash").unwrap();
    let setup = Setup::new(&volume)
        .without("ENGINE_KEY_HASH")
        .with("ENGINE_KEY_HASH_FILE", &file)
        .with("REFUSAL_FILE", outside.path().join("refusal"));
    assert_eq!(setup.refused(&volume).reason, RefusalReason::ConfigInvalid);
    let mut engine = setup.spawn();
    engine.wait_for(WAITING);
    fs::write(&file, sha256(API_KEY)).unwrap();
    engine.wait_for("serving");
    assert!(engine.stop().status.success());
}

#[test]
fn an_engine_that_is_told_to_stop_while_it_tries_does_not_wait_on() {
    let bereft = Bereft::new();
    bereft.put_back();
    let first = Setup::new(&bereft.volume).start();
    let setup = || bereft.setup().with("BRAIN_WAIT_SECONDS", "1");
    assert_eq!(
        setup().refused(&bereft.volume).reason,
        RefusalReason::BrainLocked
    );
    let mut second = setup().spawn();
    second.wait_for(WAITING);
    // It is tried every five seconds; this comes during one of the tries.
    second.wait_for("another engine or a rotation has the brain open: waiting for its end");
    assert!(second.stop().status.success());
    assert!(first.stop().status.success());
}

#[test]
fn certificates_that_are_none_leave_the_brain_alone() {
    let bereft = Bereft::new();
    bereft.put_back();
    let authorities = bereft.outside.path().join("ca.crt");
    let none = "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n";
    fs::write(&authorities, none).unwrap();
    let setup = bereft.setup().with("EXTRA_CA_FILE", &authorities);
    let refusal = setup.refused(&bereft.volume);
    assert_eq!(refusal.reason, RefusalReason::ConfigInvalid);
    assert!(refusal.message.contains("EXTRA_CA_FILE"), "{refusal}");
}

#[test]
fn what_only_another_container_can_mend_is_refused_each_time() {
    let bereft = Bereft::new();
    for _ in 0..2 {
        let wrong = bereft.setup().with("LISTEN_ADDR", "nowhere");
        assert_eq!(
            wrong.refused(&bereft.volume).reason,
            RefusalReason::ConfigInvalid
        );
    }
    let nowhere = bereft.setup().with("REFUSAL_FILE", "");
    let refusal = nowhere.refused(&bereft.volume);
    assert_eq!(refusal.reason, RefusalReason::ConfigInvalid);
    assert!(refusal.message.contains("REFUSAL_FILE"), "{refusal}");
    let foreign = || bereft.setup().with("AD_ENCRYPTION_KEY", key_text(2));
    bereft.put_back();
    for _ in 0..2 {
        let before = foreign().without("REFUSAL_FILE").refused(&bereft.volume);
        assert_eq!(before.reason, RefusalReason::KeyForeign, "without the file");
    }
}
