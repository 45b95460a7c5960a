//! The catalog over HTTP and as a command.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::in_process::{TestEngine, send, shown};

const KEY: (&str, &str) = ("x-engine-key", "current");

const SERVERS: &str = r#"[
    {"name": "slack", "display_name": "Slack", "transport": "sse", "url": "https://slack.example.com/sse", "auth_method": "oauth"},
    {"name": "gmail", "transport": "streamable_http", "url": "https://gmail.example.com/mcp", "auth_method": "oauth",
     "oauth": {"client_id": "id", "client_secret_file": "gmail/secret", "issuer": "https://accounts.google.com"}},
    {"name": "notes", "display_name": "Notes", "transport": "streamable_http", "url": "https://notes.example.com/mcp", "auth_method": "static"},
    {"name": "clock", "transport": "stdio", "command": ["clock"], "auth_method": "none"}
]"#;

/// An engine with a catalog of one file.
async fn engine_with(folder: &TempDir, text: &str, more: &[(&str, &str)]) -> TestEngine {
    fs::write(folder.path().join("servers.json"), text).unwrap();
    let mut variables = vec![("CATALOG_DIR", folder.path().to_str().unwrap())];
    variables.extend_from_slice(more);
    TestEngine::start_with(&variables).await
}

async fn reload(engine: &TestEngine) -> axum::http::Response<String> {
    send(engine.api(), "POST", "/admin/reload-catalog", &[KEY]).await
}

async fn servers(engine: &TestEngine) -> Value {
    let answer = send(engine.api(), "GET", "/assets/servers", &[KEY]).await;
    assert_eq!(answer.status(), 200);
    serde_json::from_str(answer.body()).unwrap()
}

#[tokio::test]
async fn servers_are_listed_by_name_with_the_callback_to_register() {
    let folder = TempDir::new().unwrap();
    let engine = engine_with(
        &folder,
        SERVERS,
        &[(
            "OAUTH_REDIRECT_BASE_URL",
            "https://relay.example.com/engines/",
        )],
    )
    .await;
    insta::assert_json_snapshot!(servers(&engine).await);
}

#[tokio::test]
async fn an_engine_without_a_catalog_lists_nothing() {
    let engine = TestEngine::start().await;
    assert_eq!(servers(&engine).await, json!([]));
    assert_eq!(
        reload(&engine).await.body(),
        r#"{"servers":0,"changed":[]}"#
    );
}

#[tokio::test]
async fn a_reload_tells_what_changed() {
    let folder = TempDir::new().unwrap();
    let engine = engine_with(&folder, SERVERS, &[]).await;
    fs::write(
        folder.path().join("servers.json"),
        SERVERS.replace("\"clock\"", "\"time\""),
    )
    .unwrap();
    assert_snapshot!(shown(&reload(&engine).await));
    let names: Vec<Value> = servers(&engine)
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|server| server["server_name"].clone())
        .collect();
    assert_eq!(names, ["gmail", "notes", "slack", "time"]);
}

#[tokio::test]
async fn a_bad_catalog_is_told_entry_by_entry_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let engine = engine_with(&folder, SERVERS, &[]).await;
    let before = servers(&engine).await;
    fs::write(
        folder.path().join("servers.json"),
        SERVERS
            .replace("https://notes", "http://notes")
            .replace("stdio", "sdtio"),
    )
    .unwrap();
    assert_snapshot!(shown(&reload(&engine).await));
    assert_eq!(servers(&engine).await, before);
}

#[tokio::test]
async fn both_calls_need_the_key() {
    let engine = TestEngine::start().await;
    for (method, path) in [
        ("GET", "/assets/servers"),
        ("POST", "/admin/reload-catalog"),
    ] {
        assert_eq!(
            send(engine.api(), method, path, &[]).await.status(),
            401,
            "{path}"
        );
    }
    for (method, path) in [
        ("POST", "/assets/servers"),
        ("GET", "/admin/reload-catalog"),
    ] {
        assert_eq!(
            send(engine.api(), method, path, &[KEY]).await.status(),
            405,
            "{path}"
        );
    }
}

#[test]
fn the_committed_schema_is_what_the_engine_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_engine"))
        .arg("catalog-schema")
        .env_clear()
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed == include_str!("../catalog.schema.json"),
        "run: cargo run -p userengine-engine -- catalog-schema > engine/catalog.schema.json"
    );
}
