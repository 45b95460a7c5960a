//! No credential is seen anywhere but at its server: not in the loudest log, not in an answer, not in the brain's files.

use std::fs;

use serde_json::json;

use super::{Standalone, over_http};
use crate::support::peers::{Echo, Notes};
use crate::support::process::API_KEY;

/// A static credential that is easy to find.
const CANARY: &str = "telltale-9f86d081884c7d65";
/// How FastMCP's tokens and codes begin, and the canary.
const SECRETS: [&str; 5] = [
    "telltale",
    "test_access_token_",
    "test_refresh_token_",
    "test_auth_code_",
    API_KEY,
];

#[test]
fn credentials_are_only_seen_by_their_servers() {
    let (echo, notes) = (Echo::start(CANARY), Notes::start(3600));
    let engine = Standalone::start(
        &[&echo.origin, &notes.origin],
        &[
            over_http("echo", "streamable_http", &echo.url, "static"),
            over_http("slack", "streamable_http", &notes.url, "oauth"),
        ],
    );
    let mut answers = String::new();
    let canary = json!({ "server_name": "echo", "server_config": { "credential": CANARY } });
    let wrong = json!({ "server_name": "echo", "alias": "wrong", "server_config": { "credential": format!("{CANARY}-wrong") } });
    for body in [wrong, canary, json!({ "server_name": "slack" })] {
        let (_, answer) = engine.post("/assets/connect", &body);
        answers += &answer.to_string();
        if let Some(url) = answer["auth_url"].as_str() {
            let browser = engine.shell.clone().with("AUTH_URL", url);
            answers += &browser.run(r#"curl -fsSL "$AUTH_URL""#).0;
        }
    }
    for (tool, arguments) in [
        ("echo.echo", json!({ "text": "hi" })),
        ("slack.read_notes", json!({})),
        ("slack.add_note", json!({ "text": "no scope for this" })),
        ("echo.echo", json!({ "text": 7 })),
    ] {
        answers += &engine.try_call(tool, &arguments).1.to_string();
    }
    notes.forget();
    answers += &engine
        .try_call("slack.read_notes", &json!({}))
        .1
        .to_string();
    for path in ["/assets/servers", "/assets/connections", "/tools", "/audit"] {
        answers += &engine.get(path).to_string();
    }
    answers += &engine.engine.internal("/metrics").body;

    // While it runs there is a write-ahead log; afterwards all is in the brain.
    let copy = engine.volume.crash_copy();
    assert!(copy.has_log());
    let (ended, volume) = engine.stop();
    assert!(
        ended.stderr.contains("tools/call"),
        "the log tells of calls: {}",
        ended.stderr
    );
    let mut looked = vec![
        ("the answers".to_owned(), answers.into_bytes()),
        ("the log".to_owned(), ended.stderr.into_bytes()),
    ];
    for volume in [copy, volume] {
        for name in volume.names() {
            looked.push((name.clone(), fs::read(volume.file(&name)).unwrap()));
        }
    }
    for (place, bytes) in looked {
        for secret in SECRETS {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{secret} in {place}");
        }
    }
}
