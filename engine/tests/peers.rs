//! The servers of others that the other tests rely on: they start, answer, and end.

use std::path::Path;

use serde_json::json;

use crate::support::direct::Direct;
use crate::support::peers::{Echo, Everything, Notes, node, server};
use crate::support::shell::Shell;

#[test]
fn everything_answers_over_http_on_loopback() {
    let everything = Everything::streamable_http();
    assert!(everything.origin.starts_with("http://127.0.0.1:"));
    let mut direct = Direct::http(&everything.url);
    let names: Vec<_> = direct
        .tools()
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    assert!(names.contains(&json!("get-sum")), "{names:?}");
    let sum = direct.call("get-sum", &json!({ "a": 2, "b": 3 }));
    assert_eq!(sum["content"][0]["text"], "The sum of 2 and 3 is 5.");
}

#[test]
fn everything_answers_over_sse_on_loopback() {
    let everything = Everything::sse();
    // Two lines are enough: the stream itself does not end.
    let line = r#"exec 3< <(curl -sSN "$URL"); read -r one <&3; read -r two <&3; kill $!; echo "$one $two""#;
    let first = Shell::plain().with("URL", &everything.url).run(line);
    assert!(
        first
            .0
            .starts_with("event: endpoint data: /message?sessionId="),
        "{}",
        first.0
    );
}

#[test]
fn the_servers_without_a_network_answer() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("note.txt"), "hello").unwrap();
    let (memory, files) = (server("memory"), server("filesystem"));
    let mut memory = Direct::stdio(&node(), &[&memory]);
    let graph = memory.call("read_graph", &json!({}));
    assert!(graph["structuredContent"]["entities"].is_array(), "{graph}");

    let mut files = Direct::stdio(&node(), &[&files, folder.path()]);
    let path = folder.path().join("note.txt");
    let text = files.call("read_text_file", &json!({ "path": path }));
    assert_eq!(text["content"][0]["text"], "hello");
}

#[test]
fn the_echo_server_wants_its_token() {
    let echo = Echo::start("a-token");
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hi"}}}"#;
    let shell = Shell::plain().with("URL", &echo.url).with("CALL", call);
    let answer = shell.run(r#"curl -fsS "$URL" -H "Authorization: Bearer a-token" -d "$CALL""#);
    assert_eq!(answer.json()["result"]["content"][0]["text"], "hi");
    let refused = shell.run(r#"curl -sS -o /dev/null -w '%{http_code}' "$URL" -d "$CALL""#);
    assert_eq!(refused.0, "401");
}

#[test]
fn the_notes_are_behind_oauth() {
    let notes = Notes::start(10);
    let shell = Shell::plain().with("URL", &notes.url);
    let refused = shell.run(r#"curl -sS -D - -o /dev/null "$URL" -d '{}'"#);
    let head = refused.0.to_ascii_lowercase();
    assert!(
        head.starts_with("http/1.1 401 ") && head.contains("resource_metadata="),
        "{head}"
    );
    notes.forget();
    assert_eq!(notes.count("registered"), 0);
}

#[test]
fn a_frozen_server_answers_when_it_thaws() {
    let echo = Echo::start("a-token");
    let shell = Shell::plain().with("URL", &echo.url);
    let status = r#"curl -sS -o /dev/null -w '%{http_code}' --max-time "$SECONDS_MOST" "$URL" -d '{}' || true"#;
    echo.peer.freeze();
    assert_eq!(shell.with("SECONDS_MOST", "1").run(status).0, "000");
    echo.peer.thaw();
    let shell = Shell::plain().with("URL", &echo.url);
    assert_eq!(shell.with("SECONDS_MOST", "60").run(status).0, "401");
}

#[test]
fn the_committed_lists_of_peers_name_no_registry() {
    let folder = Path::new("../tests/peers");
    for part in ["servers", "conformance-0.1", "conformance-0.2"] {
        let lock = std::fs::read_to_string(folder.join(part).join("package-lock.json")).unwrap();
        assert!(
            lock.contains("\"integrity\"") && !lock.contains("\"resolved\""),
            "{part}"
        );
    }
    for part in ["python", "schemathesis"] {
        let lock = std::fs::read_to_string(folder.join(part).join("requirements.txt")).unwrap();
        assert!(
            lock.contains("--hash=sha256:") && !lock.contains("://"),
            "{part}"
        );
    }
}
