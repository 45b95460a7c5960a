//! What a server answers reaches the caller whole: compared with the same call made without the engine.

use serde_json::{Value, json};

use super::{Standalone, over_http};
use crate::support::direct::Direct;
use crate::support::peers::{Everything, node, server};

/// Calls that show every kind of content: text, image, links, resources, annotations, structure.
fn calls() -> [(&'static str, Value); 9] {
    [
        ("echo", json!({ "message": "hello \u{1f600} \u{0000}\"\\" })),
        ("get-sum", json!({ "a": 0.1, "b": 2e20 })),
        ("get-tiny-image", json!({})),
        (
            "get-annotated-message",
            json!({ "messageType": "error", "includeImage": true }),
        ),
        ("get-resource-links", json!({ "count": 4 })),
        (
            "get-resource-reference",
            json!({ "resourceType": "Text", "resourceId": 3 }),
        ),
        (
            "get-resource-reference",
            json!({ "resourceType": "Blob", "resourceId": 4 }),
        ),
        ("get-structured-content", json!({ "location": "Chicago" })),
        // It reports progress while it runs.
        (
            "trigger-long-running-operation",
            json!({ "duration": 1, "steps": 4 }),
        ),
    ]
}

fn same_as_direct(engine: &Standalone, direct: &mut Direct, alias: &str) {
    for tool in direct.tools() {
        let action = tool["name"].as_str().unwrap();
        let ours = engine.tool(&format!("{alias}.{action}"));
        assert_eq!(ours["input_schema"], tool["inputSchema"], "{action}");
        assert_eq!(ours["description"], tool["description"], "{action}");
    }
    for (action, arguments) in calls() {
        // Some answers hold the time of day: both answers without the engine, before and after, must be the same.
        let (expected, ours) = loop {
            let before = direct.call(action, &arguments);
            let ours = engine.call(&format!("{alias}.{action}"), &arguments);
            if direct.call(action, &arguments) == before {
                break (before, ours);
            }
        };
        assert_eq!(ours, expected, "{action}");
    }
}

#[test]
fn over_streamable_http() {
    let everything = Everything::streamable_http();
    let entry = over_http("everything", "streamable_http", &everything.url, "none");
    let engine = Standalone::start(&[&everything.origin], &[entry]);
    engine.connect(&json!({ "server_name": "everything" }));
    same_as_direct(&engine, &mut Direct::http(&everything.url), "everything");
}

#[test]
fn over_sse() {
    let (everything, other) = (Everything::sse(), Everything::streamable_http());
    let entry = over_http("everything", "sse", &everything.url, "none");
    let engine = Standalone::start(&[&everything.origin], &[entry]);
    engine.connect(&json!({ "server_name": "everything" }));
    same_as_direct(&engine, &mut Direct::http(&other.url), "everything");
}

#[test]
fn over_stdio() {
    let program = server("everything");
    let entry = json!({
        "name": "everything", "transport": "stdio", "auth_method": "none",
        "command": [node(), program, "stdio"],
    });
    let engine = Standalone::start(&[], &[entry]);
    engine.connect(&json!({ "server_name": "everything" }));
    same_as_direct(
        &engine,
        &mut Direct::stdio(&node(), &[&program]),
        "everything",
    );
}

#[test]
fn arguments_that_do_not_fit_never_leave_the_engine() {
    let everything = Everything::streamable_http();
    let entry = over_http("everything", "streamable_http", &everything.url, "none");
    let engine = Standalone::start(&[&everything.origin], &[entry]);
    engine.connect(&json!({ "server_name": "everything" }));
    let (status, refused) = engine.try_call("everything.get-sum", &json!({ "a": "two", "b": 3 }));
    assert_eq!(
        (status, &refused["error"]),
        (422, &json!("INVALID_ARGUMENTS")),
        "{refused}"
    );
    assert_eq!(refused["details"]["path"], "/a");
    let (status, refused) = engine.try_call("everything.nothing", &json!({}));
    assert_eq!(
        (status, &refused["error"]),
        (404, &json!("TOOL_NOT_FOUND")),
        "{refused}"
    );
}

#[test]
fn a_tool_that_fails_is_an_answer_and_no_error_of_the_connection() {
    let everything = Everything::streamable_http();
    let entry = over_http("everything", "streamable_http", &everything.url, "none");
    let engine = Standalone::start(&[&everything.origin], &[entry]);
    engine.connect(&json!({ "server_name": "everything" }));
    let arguments = json!({ "resourceType": "Text", "resourceId": -1 });
    let ours = engine.call("everything.get-resource-reference", &arguments);
    assert_eq!(ours["isError"], true, "{ours}");
    let direct = Direct::http(&everything.url).call("get-resource-reference", &arguments);
    assert_eq!(ours, direct);
}
