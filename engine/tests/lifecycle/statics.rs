//! A connection with a credential that the caller brings.

use serde_json::json;

use super::{Standalone, over_http};
use crate::support::peers::Echo;

fn engine(echo: &Echo) -> Standalone {
    let entry = over_http("echo", "streamable_http", &echo.url, "static");
    Standalone::start(&[&echo.origin], &[entry])
}

#[test]
fn a_good_credential_connects_at_once() {
    let echo = Echo::start("good-token");
    let engine = engine(&echo);
    let body = json!({ "server_name": "echo", "server_config": { "credential": "good-token" } });
    let ref_id = engine.connect(&body);
    let said = engine.call("echo.echo", &json!({ "text": "hi" }));
    assert_eq!(said["content"], json!([{ "type": "text", "text": "hi" }]));

    let (status, refused) = engine.post("/assets/connect", &body);
    assert_eq!(
        (status, &refused["error"]),
        (409, &json!("ALREADY_CONNECTED")),
        "{refused}"
    );
    assert_eq!(refused["details"]["ref_id"], ref_id);
}

#[test]
fn a_bad_credential_is_refused_and_leaves_nothing() {
    let echo = Echo::start("good-token");
    let engine = engine(&echo);
    let body = json!({ "server_name": "echo", "server_config": { "credential": "bad-token" } });
    let (status, refused) = engine.post("/assets/connect", &body);
    assert_eq!(
        (status, &refused["error"]),
        (422, &json!("MCP_CREDENTIAL_REJECTED")),
        "{refused}"
    );
    let (status, refused) = engine.post("/assets/connect", &json!({ "server_name": "echo" }));
    assert_eq!(
        (status, &refused["error"]),
        (422, &json!("INVALID_REQUEST")),
        "{refused}"
    );
    assert!(
        refused["details"]["field"]
            .as_str()
            .unwrap()
            .contains("credential"),
        "{refused}"
    );
    let (status, refused) = engine.post("/assets/connect", &json!({ "server_name": "nobody" }));
    assert_eq!(
        (status, &refused["error"]),
        (404, &json!("SERVER_NOT_FOUND")),
        "{refused}"
    );
    assert_eq!(engine.get("/assets/connections"), json!([]));
}

#[test]
fn a_second_account_has_an_alias() {
    let echo = Echo::start("good-token");
    let engine = engine(&echo);
    let body = json!({ "server_name": "echo", "server_config": { "credential": "good-token" } });
    let first = engine.connect(&body);
    let mut body = body;
    body["alias"] = "work".into();
    let second = engine.connect(&body);
    assert_ne!(first, second);
    assert_eq!(engine.connection(&second)["alias"], "work");
    for tool in ["echo.echo", "work.echo"] {
        assert_eq!(
            engine.call(tool, &json!({ "text": tool }))["content"][0]["text"],
            tool
        );
    }
}

#[test]
fn connections_survive_a_killed_engine() {
    let echo = Echo::start("good-token");
    let engine = engine(&echo);
    let ref_id = engine.connect(
        &json!({ "server_name": "echo", "server_config": { "credential": "good-token" } }),
    );
    let engine = engine.crash();
    assert_eq!(engine.connection(&ref_id)["status"], "connected");
    assert_eq!(
        engine.call("echo.echo", &json!({ "text": "again" }))["content"][0]["text"],
        "again"
    );
}

#[test]
fn a_server_that_goes_away_and_returns_is_found_again() {
    let echo = Echo::start("good-token");
    let engine = engine(&echo);
    engine.connect(
        &json!({ "server_name": "echo", "server_config": { "credential": "good-token" } }),
    );
    engine.call("echo.echo", &json!({ "text": "before" }));
    let address = echo.origin.strip_prefix("http://").unwrap().to_owned();
    drop(echo);
    let (status, refused) = engine.try_call("echo.echo", &json!({ "text": "nobody there" }));
    assert_eq!(
        (status, &refused["error"]),
        (502, &json!("MCP_CONNECTION_FAILED")),
        "{refused}"
    );
    let _echo = Echo::start_at(&address, "good-token");
    crate::support::eventually("a call gets through", || {
        engine.try_call("echo.echo", &json!({ "text": "after" })).0 == 200
    });
}
