//! What must never be seen.

use crate::support::key_text;
use crate::support::process::{Ended, Setup};
use crate::support::volume::Volume;

#[test]
fn no_key_reaches_the_log_at_any_level() {
    let (api_key, encryption_key) = ("telltale-api-key", key_text(7));
    for (level, format) in [("trace", "json"), ("TRACE", "pretty"), ("debug", "json")] {
        let volume = Volume::new();
        let setup = Setup::new(&volume)
            .without("ENGINE_KEY_HASH")
            .with("ENGINE_API_KEY", api_key)
            .with("AD_ENCRYPTION_KEY", &encryption_key)
            .with("ENGINE_LOG_LEVEL", level);
        if format == "json" {
            let engine = setup.start();
            let with_key = format!("X-Engine-Key: {api_key}\r\nX-Other: telltale-header\r\n");
            assert_eq!(
                engine.api("/openapi.json?telltale-query", &with_key).status,
                200
            );
            assert_eq!(
                engine
                    .api("/telltale-path", "X-Engine-Key: telltale-guess\r\n")
                    .status,
                401
            );
            assert!(!engine.internal("/keys").body.contains("telltale"));
            check(&engine.stop(), &encryption_key);
        } else {
            let mut engine = setup.with("ENGINE_LOG_FORMAT", format).spawn();
            engine.wait_for_text(" serving ");
            check(&engine.stop(), &encryption_key);
        }
    }
}

fn check(ended: &Ended, encryption_key: &str) {
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.contains("handed over") && ended.stderr.contains("SELECT"),
        "the log is at its loudest"
    );
    for secret in ["telltale", &encryption_key[..8], &encryption_key[20..]] {
        assert!(
            !ended.stderr.contains(secret),
            "{secret} in {}",
            ended.stderr
        );
    }
    let bytes = format!("{:?}", [7_u8; 8]);
    assert!(
        !ended.stderr.contains(&bytes[1..bytes.len() - 1]),
        "{}",
        ended.stderr
    );
}

#[test]
#[ignore = "a process of its own, started by the next test"]
fn panics_with_a_secret() {
    userengine_engine::telemetry::install(userengine_engine::config::LogConfig::default());
    userengine_engine::process::report_panics_without_their_message();
    panic!("telltale");
}

#[test]
fn a_panic_tells_its_place_and_not_its_message() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "secrets::panics_with_a_secret",
        ])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(
        text.contains("panicked") && text.contains("secrets.rs") && !text.contains("telltale"),
        "{text}"
    );
}
