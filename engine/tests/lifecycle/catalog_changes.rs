//! A new server type, as the documentation adds one.

use std::fs;

use serde_json::{Value, json};

use super::{Standalone, over_http, write_entry};
use crate::support::peers::{Echo, node, server};

const RELOAD: &str =
    r#"curl -sS -X POST "$ENGINE_URL/admin/reload-catalog" -H "X-Engine-Key: $KEY""#;

fn names(engine: &Standalone) -> Vec<Value> {
    let servers = engine.get("/assets/servers");
    let servers = servers.as_array().unwrap();
    servers
        .iter()
        .map(|server| server["server_name"].clone())
        .collect()
}

#[test]
fn a_new_entry_can_be_connected_after_a_reload() {
    let echo = Echo::start("token");
    let engine = Standalone::start(&[&echo.origin], &[]);
    assert_eq!(names(&engine), [] as [Value; 0]);

    write_entry(
        engine.catalog.path(),
        &over_http("echo", "streamable_http", &echo.url, "static"),
    );
    let (status, answer) = engine.shell.answer(RELOAD);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(names(&engine), ["echo"]);
    engine.connect(&json!({ "server_name": "echo", "server_config": { "credential": "token" } }));
    engine.call("echo.echo", &json!({ "text": "hi" }));
}

#[test]
fn a_bad_entry_is_named_and_changes_nothing() {
    let echo = Echo::start("token");
    let good = over_http("echo", "streamable_http", &echo.url, "static");
    let engine = Standalone::start(&[&echo.origin], std::slice::from_ref(&good));
    let mut other = good;
    other["name"] = "other".into();
    write_entry(engine.catalog.path(), &other);
    let bad = json!({ "name": "bad", "transport": "carrier-pigeon", "auth_method": "none" });
    let file = write_entry(engine.catalog.path(), &bad);

    let (status, refused) = engine.shell.answer(RELOAD);
    assert_eq!(
        (status, &refused["error"]),
        (422, &json!("CATALOG_INVALID")),
        "{refused}"
    );
    assert!(refused.to_string().contains("bad.json"), "{refused}");
    assert_eq!(names(&engine), ["echo"]);
    fs::remove_file(file).unwrap();
    assert_eq!(engine.shell.answer(RELOAD).0, 200);
    assert_eq!(names(&engine), ["echo", "other"]);
}

#[test]
fn a_server_that_is_removed_leaves_its_connection_to_be_seen() {
    let echo = Echo::start("token");
    let entry = over_http("echo", "streamable_http", &echo.url, "static");
    let engine = Standalone::start(&[&echo.origin], &[entry]);
    let ref_id = engine
        .connect(&json!({ "server_name": "echo", "server_config": { "credential": "token" } }));
    fs::remove_file(engine.catalog.path().join("echo.json")).unwrap();
    assert_eq!(engine.shell.answer(RELOAD).0, 200);
    assert_eq!(names(&engine), [] as [Value; 0]);
    assert_eq!(engine.connection(&ref_id)["server_name"], "echo");
    let (status, refused) = engine.try_call("echo.echo", &json!({ "text": "hi" }));
    assert_eq!(
        (status, &refused["error"]),
        (503, &json!("SERVER_UNAVAILABLE")),
        "{refused}"
    );
}

#[test]
fn a_child_ends_when_its_server_leaves_the_catalog_without_anybody_asking() {
    let folder = tempfile::tempdir().unwrap();
    let command = json!([node(), server("filesystem"), folder.path()]);
    let entry =
        json!({ "name": "files", "transport": "stdio", "command": command, "auth_method": "none" });
    let engine = Standalone::start(&[], &[entry]);
    engine.connect(&json!({ "server_name": "files" }));
    engine.call("files.list_allowed_directories", &json!({}));
    assert_eq!(engine.children().len(), 1);

    fs::remove_file(engine.catalog.path().join("files.json")).unwrap();
    crate::support::eventually("the child is gone", || engine.children().is_empty());
    assert_eq!(names(&engine), [] as [Value; 0]);
    crate::support::eventually("the audit tells of it", || {
        let rows = engine.get("/audit");
        let rows = rows["rows"].as_array().unwrap();
        rows.iter().any(|row| {
            row["kind"] == "catalog_reloaded" && row["details"]["changed"] == json!(["files"])
        })
    });
}
