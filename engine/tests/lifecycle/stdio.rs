//! Servers that are children of the engine.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::Standalone;
use crate::support::direct::Direct;
use crate::support::peers::{node, server};

/// The shortest sound: a WAV header without samples.
const SILENCE: &[u8] =
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";

fn child(name: &str, command: &Value) -> Value {
    json!({ "name": name, "transport": "stdio", "auth_method": "none", "command": command })
}

#[test]
fn memory_keeps_what_a_tool_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("graph.json");
    let command = json!({
        "program": node(), "args": [server("memory")], "env": { "MEMORY_FILE_PATH": graph },
    });
    let engine = Standalone::start(&[], &[child("memory", &command)]);
    engine.connect(&json!({ "server_name": "memory" }));
    let alice = json!({ "name": "alice", "entityType": "person", "observations": ["likes tea"] });
    engine.call("memory.create_entities", &json!({ "entities": [alice] }));
    let read = engine.call("memory.read_graph", &json!({}));
    assert_eq!(read["structuredContent"]["entities"], json!([alice]));
    assert!(fs::read_to_string(&graph).unwrap().contains("likes tea"));
}

#[test]
fn files_pass_through_as_text_and_as_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().canonicalize().unwrap().join(name);
    fs::write(path("silence.wav"), SILENCE).unwrap();
    let command = json!([node(), server("filesystem"), folder.path()]);
    let engine = Standalone::start(&[], &[child("files", &command)]);
    engine.connect(&json!({ "server_name": "files" }));

    let text = "line one\nline two \u{1f600}";
    engine.call(
        "files.write_file",
        &json!({ "path": path("note.txt"), "content": text }),
    );
    assert_eq!(fs::read_to_string(path("note.txt")).unwrap(), text);

    let program = server("filesystem");
    let mut direct = Direct::stdio(&node(), &[&program, folder.path()]);
    for (action, name) in [
        ("read_text_file", "note.txt"),
        ("read_media_file", "silence.wav"),
    ] {
        let arguments = json!({ "path": path(name) });
        let ours = engine.call(&format!("files.{action}"), &arguments);
        assert_eq!(ours, direct.call(action, &arguments), "{action}");
    }
    let sound = engine.call(
        "files.read_media_file",
        &json!({ "path": path("silence.wav") }),
    );
    let sound = &sound["content"][0];
    assert_eq!(
        (&sound["type"], &sound["mimeType"]),
        (&json!("audio"), &json!("audio/wav"))
    );
    assert_eq!(sound["data"], BASE64_STANDARD.encode(SILENCE));
}

#[test]
fn a_child_sees_no_variable_of_the_engine() {
    let command = json!({
        "program": node(), "args": [server("everything"), "stdio"], "env": { "ITS_OWN": "yes" },
    });
    let engine = Standalone::start(&[], &[child("everything", &command)]);
    engine.connect(&json!({ "server_name": "everything" }));
    let said = engine.call("everything.get-env", &json!({}));
    let seen: Value = serde_json::from_str(said["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(seen["ITS_OWN"], "yes");
    for name in ["AD_ENCRYPTION_KEY", "ENGINE_KEY_HASH", "SQLITE_DB_PATH"] {
        assert_eq!(seen[name], Value::Null, "{name}");
    }
}

#[test]
fn a_child_ends_with_its_connection_and_with_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let command = json!([node(), server("filesystem"), folder.path()]);
    let engine = Standalone::start(&[], &[child("files", &command)]);
    let ref_id = engine.connect(&json!({ "server_name": "files" }));
    engine.call("files.list_allowed_directories", &json!({}));
    assert_eq!(engine.children().len(), 1);
    let shell = engine.shell.clone().with("REF_ID", &ref_id);
    shell.run(
        r#"curl -fsS -X DELETE "$ENGINE_URL/assets/connections/$REF_ID" -H "X-Engine-Key: $KEY""#,
    );
    crate::support::eventually("the child is gone", || engine.children().is_empty());

    engine.connect(&json!({ "server_name": "files" }));
    engine.call("files.list_allowed_directories", &json!({}));
    let children = engine.children();
    assert_eq!(children.len(), 1);
    engine.stop();
    crate::support::eventually("the child is gone", || {
        !std::path::Path::new("/proc").join(&children[0]).exists()
    });
}
