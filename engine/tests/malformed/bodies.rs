//! Bodies of the API.

use std::fs;

use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use super::{answer, runtime};
use crate::support::arbitrary::{cases, json, near};
use crate::support::in_process::TestEngine;

const CANARY: &str = "canary-0123456789abcdef";

const CONNECTS: [&str; 3] = [
    r#"{"server_name": "nowhere", "alias": "a", "server_config": {"credential": "canary-0123456789abcdef"}, "return_url": "https://app.example/x"}"#,
    r#"{"server_name": "gone", "server_config": {"credential": "canary-0123456789abcdef", "scopes": ["a"]}, "reconnect": true}"#,
    r#"{"server_name": "child", "server_config": null}"#,
];

const CALLS: [&str; 2] = [
    r#"{"name": "slack.send_message", "arguments": {"text": "canary-0123456789abcdef"}}"#,
    r#"{"name": "a.b", "arguments": {}}"#,
];

const NAMES: [&str; 9] = [
    "server_name",
    "alias",
    "server_config",
    "credential",
    "scopes",
    "return_url",
    "reconnect",
    "name",
    "arguments",
];

const TEXTS: [&str; 9] = [
    "",
    "a",
    "nowhere",
    "gone",
    "child",
    "slack.send_message",
    "https://app.example/x",
    "javascript:x",
    CANARY,
];

/// Servers that cannot be reached from here, so that a body that is taken still connects to nothing.
const SERVERS: &str = r#"[
    {"name": "nowhere", "transport": "streamable_http", "url": "https://127.0.0.1:1/mcp", "auth_method": "static"},
    {"name": "gone", "transport": "sse", "url": "https://127.0.0.1:1/sse", "auth_method": "oauth", "oauth": {"client_id": "c", "client_secret_file": "s/k", "issuer": "https://127.0.0.1:1"}},
    {"name": "child", "transport": "stdio", "command": ["nothing"], "auth_method": "none"}
]"#;

fn body(seeds: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let any = json(&NAMES, &TEXTS).prop_map(|value| value.to_string().into_bytes());
    prop_oneof![3 => near(seeds), 1 => any]
}

fn check(path: &str, seeds: &'static [&'static str]) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("servers.json"), SERVERS).unwrap();
    let runtime = runtime();
    let variables = [
        ("CATALOG_DIR", folder.path().to_str().unwrap()),
        ("ENGINE_NAME", "team.alice"),
    ];
    let engine = runtime.block_on(TestEngine::start_with(&variables));
    let mut runner = proptest::test_runner::TestRunner::new(cases(1000));
    let outcome = runner.run(&body(seeds), |body| {
        let request = Request::post(path)
            .header("x-engine-key", "current")
            .header("content-type", "application/json");
        let response = answer(
            &runtime,
            engine.api(),
            request.body(Body::from(body.clone())).unwrap(),
        );
        let status = response.status().as_u16();
        let shown = String::from_utf8_lossy(&body);
        prop_assert!(
            matches!(status, 400 | 404 | 409 | 422 | 502 | 503),
            "{} {}: {}",
            status,
            shown,
            response.body()
        );
        let error: Value = serde_json::from_str(response.body()).unwrap();
        prop_assert!(
            error["error"].is_string()
                && error["message"].is_string()
                && error["details"].is_object()
        );
        prop_assert!(
            !response.body().contains(CANARY),
            "{}: {}",
            shown,
            response.body()
        );
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn any_body_of_a_connect_is_refused_in_the_one_form() {
    check("/assets/connect", &CONNECTS);
}

#[test]
fn any_body_of_a_call_is_refused_in_the_one_form() {
    check("/tools/call", &CALLS);
}
