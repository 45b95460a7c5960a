//! What a call comes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::upstream::{Reply, Upstream};
use super::world::{World, entry};

const ONE_SECOND: (&str, &str) = ("CALL_TIMEOUT_SECONDS", "1");

async fn one(more: &[(&str, &str)]) -> (World, Upstream) {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], more).await;
    (world, upstream)
}

fn failed(status: u16, code: &str, reason: &str) -> (u16, String, String) {
    (status, code.to_owned(), reason.to_owned())
}

fn failing(reason: &str) -> (u16, String, String) {
    failed(502, "MCP_CONNECTION_FAILED", reason)
}

#[tokio::test]
async fn a_result_passes_through_whole_and_byte_for_byte() {
    let (world, upstream) = one(&[]).await;
    let result = json!({
        "content": [
            { "type": "text", "text": "ä\u{1F600}", "annotations": { "audience": ["user"] } },
            { "type": "image", "data": "aGk=", "mimeType": "image/png" },
            { "type": "audio", "data": "aGk=", "mimeType": "audio/wav" },
            { "type": "resource", "resource": { "uri": "file:///a", "text": "t" } },
            { "type": "resource_link", "uri": "file:///b", "name": "b" },
            { "type": "not yet invented", "x": [1, 2.50] }
        ],
        "structuredContent": { "z": 1, "a": null },
        "_meta": { "example.com/trace": 7 },
        "isError": false,
        "more": true
    });
    let sent = result.clone();
    upstream.answer_calls(move || Reply::Result(sent.clone()));
    let body = json!({ "name": "notes.read", "arguments": { "text": "a" } });
    let answer = world.request("POST", "/tools/call", Some(body)).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.body(), &result.to_string());
}

#[tokio::test]
async fn the_arguments_arrive_as_they_were_sent() {
    let (world, upstream) = one(&[]).await;
    let arguments = json!({ "text": "t", "deep": { "list": [1, null, { "": "ü" }] }, "large": 9_007_199_254_740_993_i64 });
    world.call_with("notes.write", arguments.clone()).await;
    let calls: Vec<_> = upstream
        .seen()
        .into_iter()
        .filter(|seen| seen.method() == "tools/call")
        .collect();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].tool(), &calls[0].body["params"]["arguments"]),
        ("write", &arguments)
    );
}

#[tokio::test]
async fn a_tool_that_fails_is_a_result_and_no_failure_of_the_connection() {
    let (world, upstream) = one(&[]).await;
    upstream.answer_calls(|| Reply::Result(json!({ "content": [], "isError": true })));
    for _ in 0..10 {
        let answer = world.call("notes.read").await;
        assert_eq!(
            (answer.status().as_u16(), &answer.body()["isError"]),
            (200, &json!(true))
        );
    }
    upstream.answer_calls(|| Reply::Error(-32000, "no such note"));
    for _ in 0..10 {
        let answer = world.call("notes.read").await;
        assert_eq!(answer.status(), 502);
        assert_eq!(answer.body()["details"]["reason"], "protocol");
        assert!(
            answer.body()["message"]
                .as_str()
                .unwrap()
                .contains("no such note")
        );
    }
    assert_eq!(
        world.connection("notes").await["breaker"]["state"],
        "closed"
    );
    assert_eq!(upstream.count("tools/call"), 20);
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let upstream = Upstream::start().await;
    let entries = [entry("notes", &upstream), entry("other", &upstream)];
    let world = World::start(&entries, &upstream.allowed(), &[]).await;
    let ref_id = world.connect("notes").await.body()["ref_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (name, expected) in [
        ("nothing", failed(404, "TOOL_NOT_FOUND", "")),
        ("nothing.read", failed(404, "TOOL_NOT_FOUND", "")),
        ("NOTES.read", failed(404, "TOOL_NOT_FOUND", "")),
        ("notes.", failed(404, "TOOL_NOT_FOUND", "")),
        ("notes.unknown", failed(404, "TOOL_NOT_FOUND", "")),
        ("other.read", failing("not_connected")),
    ] {
        assert_eq!(world.outcome(name).await, expected, "{name}");
    }
    let path = format!("/assets/connections/{ref_id}");
    assert!(
        world
            .request("DELETE", &path, None)
            .await
            .status()
            .is_success()
    );
    assert_eq!(world.outcome("notes.read").await, failing("not_connected"));
    assert_eq!(upstream.count("tools/call"), 0);
}

#[tokio::test]
async fn a_server_that_the_catalog_no_longer_has_is_unavailable() {
    let (world, upstream) = one(&[]).await;
    assert_eq!(world.call("notes.read").await.status(), 200);
    std::fs::remove_file(world.catalog.path().join("notes.json")).unwrap();
    assert_eq!(
        world
            .post("/admin/reload-catalog", Value::Null)
            .await
            .status(),
        200
    );
    assert_eq!(
        world.outcome("notes.read").await,
        failed(503, "SERVER_UNAVAILABLE", "")
    );
    assert_eq!(upstream.count("tools/call"), 1);
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_told_by_their_place_and_not_sent() {
    let (world, upstream) = one(&[]).await;
    let answer = world
        .call_with("notes.read", json!({ "text": ["telltale"] }))
        .await;
    assert_eq!(
        (answer.status().as_u16(), &answer.body()["error"]),
        (422, &json!("INVALID_ARGUMENTS"))
    );
    assert_eq!(answer.body()["details"]["path"], "/text");
    assert!(!answer.body().to_string().contains("telltale"));
    let answer = world.call_with("notes.read", json!({})).await;
    assert_eq!(answer.body()["details"]["path"], "");
    for body in [
        json!({ "name": "notes.read", "arguments": [] }),
        json!({ "arguments": {} }),
        json!({ "name": 1 }),
    ] {
        assert_eq!(
            world.post("/tools/call", body).await.body()["error"],
            "INVALID_REQUEST"
        );
    }
    assert_eq!(upstream.count("tools/call"), 0);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_a_timeout_and_is_never_sent_again() {
    let (world, upstream) = one(&[ONE_SECOND]).await;
    assert_eq!(world.call("notes.write").await.status(), 200);
    upstream.answer_calls(|| Reply::Silence);
    assert_eq!(world.outcome("notes.write").await, failing("timeout"));
    assert_eq!(upstream.count("tools/call"), 2);
}

#[tokio::test]
async fn a_server_that_is_away_is_unreachable_and_nothing_is_sent_twice() {
    let (world, mut upstream) = one(&[]).await;
    assert_eq!(world.call("notes.write").await.status(), 200);
    upstream.go_away().await;
    assert_eq!(world.outcome("notes.write").await, failing("unreachable"));
    upstream.come_back().await;
    assert_eq!(world.call("notes.write").await.status(), 200);
    assert_eq!(upstream.count("tools/call"), 2);
}

#[tokio::test]
async fn what_is_not_the_protocol_is_said_to_be_so() {
    let (world, upstream) = one(&[]).await;
    for text in [
        "<html>",
        "{}",
        "[]",
        r#"{"jsonrpc":"2.0","id":"another","result":{}}"#,
    ] {
        upstream.answer_calls(move || Reply::Text(text.to_owned()));
        assert_eq!(
            world.outcome("notes.read").await,
            failing("protocol"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_pause_that_the_server_asks_for_is_kept() {
    let (world, upstream) = one(&[]).await;
    upstream.answer_calls(|| Reply::Status(429, vec![("retry-after", "2".to_owned())]));
    let answer = world.call("notes.read").await;
    assert_eq!(
        (
            answer.status().as_u16(),
            &answer.body()["details"]["reason"]
        ),
        (502, &json!("rate_limited"))
    );
    assert_eq!(answer.body()["details"]["retry_after"], 2);
    upstream.answer_calls(|| Reply::Usual);
    // Refused here: the server does not hear of it.
    let answer = world.call("notes.read").await;
    assert_eq!(answer.body()["details"]["reason"], "rate_limited");
    assert!(answer.body()["details"]["retry_after"].as_u64().unwrap() <= 2);
    assert_eq!(upstream.count("tools/call"), 1);
    assert_eq!(
        world.connection("notes").await["breaker"]["retry_after"].as_u64(),
        Some(2)
    );
    world
        .until("the pause is over", async |world| {
            world.call("notes.read").await.status() == 200
        })
        .await;
    assert_eq!(upstream.count("tools/call"), 2);
}

#[tokio::test]
async fn a_call_that_wants_more_scope_says_which() {
    let (world, upstream) = one(&[]).await;
    upstream.answer_calls(|| {
        let challenge = r#"Bearer error="insufficient_scope", scope="notes:write""#;
        Reply::Status(403, vec![("www-authenticate", challenge.to_owned())])
    });
    let answer = world.call("notes.write").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.body()["error"]),
        (403, &json!("MCP_SCOPE_MISSING"))
    );
    assert_eq!(
        answer.body()["details"]["missing_scopes"],
        json!(["notes:write"])
    );
    assert_eq!(upstream.count("tools/call"), 1);
}

#[tokio::test]
async fn a_credential_that_is_refused_for_good_is_expired() {
    let upstream = Upstream::start().await;
    let mut secured = entry("notes", &upstream);
    secured["auth_method"] = json!("static");
    let world = World::start(&[secured], &upstream.allowed(), &[]).await;
    let body =
        json!({ "server_name": "notes", "server_config": { "credential": "canary-credential" } });
    assert_eq!(world.post("/assets/connect", body).await.status(), 200);
    assert_eq!(world.call("notes.read").await.status(), 200);
    let last = upstream.seen().pop().unwrap();
    assert_eq!(last.headers["authorization"], "Bearer canary-credential");
    upstream.behave(|_| Reply::Status(401, vec![("www-authenticate", "Bearer".to_owned())]));
    assert_eq!(
        world.outcome("notes.read").await,
        failed(401, "MCP_TOKEN_EXPIRED", "")
    );
    assert_eq!(upstream.count("tools/call"), 2);
    for path in ["/audit?limit=500", "/tools", "/assets/connections"] {
        let text = world.request("GET", path, None).await.into_body();
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn a_session_that_the_server_forgot_is_opened_again_and_the_call_made_once() {
    let (world, upstream) = one(&[]).await;
    assert_eq!(world.call("notes.write").await.status(), 200);
    let forgot = Arc::new(AtomicUsize::new(0));
    upstream.behave(move |seen| {
        let first = seen.method() == "tools/call" && forgot.fetch_add(1, Ordering::SeqCst) == 0;
        if first {
            Reply::Status(404, Vec::new())
        } else {
            Reply::Usual
        }
    });
    let answer = world.call("notes.write").await;
    assert_eq!(answer.status(), 200, "{}", answer.body());
    assert_eq!(
        world.connection("notes").await["breaker"]["state"],
        "closed"
    );
}

#[tokio::test]
async fn a_caller_who_goes_away_cancels_the_call_and_the_audit_says_so() {
    let (world, upstream) = one(&[]).await;
    assert_eq!(world.call("notes.write").await.status(), 200);
    upstream.answer_calls(|| Reply::Silence);
    tokio::select! {
        answer = world.call("notes.write") => panic!("answered: {answer:?}"),
        () = upstream.wait_for("tools/call", 2) => {}
    }
    upstream.wait_for("notifications/cancelled", 1).await;
    let rows = world.audit("tool_call", 2).await;
    assert_eq!(rows[1]["outcome"], "cancelled");
    // Its place is free again.
    upstream.answer_calls(|| Reply::Usual);
    for _ in 0..20 {
        assert_eq!(world.call("notes.write").await.status(), 200);
    }
}
