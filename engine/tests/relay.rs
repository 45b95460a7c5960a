//! `engine relay` as a process.

use std::process::Command;

use rustix::process::Signal;
use userengine_api::refusal::RefusalReason;

use crate::support::process::Setup;
use crate::support::volume::Volume;

const CALLBACK: &str = "/assets/oauth/callback?code=canary-code&state=acme.alice.canary-nonce";

#[test]
fn a_relay_needs_no_brain_and_no_key_and_sends_browsers_on() {
    let relay = Setup::relay().start();
    let answer = relay.api(CALLBACK, "");
    assert_eq!(answer.status, 303);
    let location = format!("location: https://alice.acme.engines.example.com{CALLBACK}\r\n");
    assert!(answer.head.contains(&location), "{}", answer.head);

    let document = relay.api("/assets/oauth/client-metadata.json", "").json();
    let id = "https://relay.example.com/assets/oauth/client-metadata.json";
    assert_eq!(document["client_id"], id);
    for probe in ["/livez", "/readyz"] {
        assert_eq!(relay.internal(probe).status, 200, "{probe}");
    }
    let counted =
        r#"engine_http_requests_total{method="GET",route="/assets/oauth/callback",status="3xx"} 1"#;
    let metrics = relay.internal("/metrics").body;
    assert!(metrics.contains(counted), "{metrics}");

    let ended = relay.stop();
    assert!(ended.status.success(), "{}", ended.stderr);
}

#[test]
fn no_level_of_the_log_shows_a_query() {
    for level in ["info", "debug", "trace"] {
        let relay = Setup::relay().with("ENGINE_LOG_LEVEL", level).start();
        assert_eq!(relay.api(CALLBACK, "").status, 303);
        let bad = relay.api("/assets/oauth/callback?code=canary&state=canary", "");
        assert_eq!(bad.status, 400);
        let ended = relay.stop();
        assert!(ended.stderr.contains("/assets/oauth/callback"));
        assert!(
            !ended.stderr.contains("canary") && !ended.stdout.contains("canary"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_stopping_relay_is_not_ready_and_a_second_signal_ends_it() {
    let mut relay = Setup::relay().with("SHUTDOWN_GRACE_SECONDS", "600").start();
    let hanging = relay.hang_at("/assets/oauth/client-metadata.json");
    relay.signal(Signal::TERM);
    relay.wait_for("stopping");
    let draining = std::iter::repeat_with(|| relay.internal("/readyz"))
        .find(|answer| answer.status == 503)
        .unwrap();
    assert!(draining.body.contains("stopping"), "{draining:?}");
    relay.signal(Signal::INT);
    assert_eq!(relay.wait().status.code(), Some(1));
    drop(hanging);
}

#[test]
fn a_wrong_or_missing_setting_is_named_and_not_repeated() {
    let volume = Volume::new();
    for (variable, value) in [
        ("OAUTH_REDIRECT_BASE_URL", "http://relay.example.com"),
        ("ENGINE_URL_TEMPLATE", "https://{name}.canary.example.com"),
        ("LISTEN_ADDR", "canary"),
        ("SHUTDOWN_GRACE_SECONDS", "601"),
        ("ENGINE_LOG_LEVEL", "canary"),
    ] {
        let refusal = Setup::relay().with(variable, value).refused(&volume);
        assert_eq!(refusal.reason, RefusalReason::ConfigInvalid, "{refusal}");
        assert!(
            refusal.message.contains(variable) && !refusal.message.contains(value),
            "{refusal}"
        );
    }
    for variable in ["OAUTH_REDIRECT_BASE_URL", "ENGINE_URL_TEMPLATE"] {
        let refusal = Setup::relay().without(variable).refused(&volume);
        assert_eq!(refusal.message, format!("set {variable}"));
    }
}

#[test]
fn its_help_names_each_variable() {
    let output = Command::new(env!("CARGO_BIN_EXE_engine"))
        .args(["relay", "--help"])
        .env_clear()
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for variable in [
        "OAUTH_REDIRECT_BASE_URL",
        "ENGINE_URL_TEMPLATE",
        "LISTEN_ADDR",
        "INTERNAL_ADDR",
        "SHUTDOWN_GRACE_SECONDS",
        "ENGINE_LOG_LEVEL",
        "ENGINE_LOG_FORMAT",
    ] {
        assert!(text.contains(variable), "{variable}: {text}");
    }
}
