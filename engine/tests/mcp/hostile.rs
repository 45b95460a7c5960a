//! Servers that are wrong, or mean it.

use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::{Value, json};
use userengine_engine::egress::FetchError;
use userengine_engine::mcp::{McpError, Session, ToolResult};

use super::arguments;
use crate::support::mcp::{
    McpServer, SOON, Seen, event, events, handshake, json_body, modern, status,
};

type Answer = fn(&Seen) -> Response<Body>;

/// A session whose calls are answered so.
async fn session(answer: Answer) -> (McpServer, Session) {
    let server = McpServer::start(move |seen| match seen.rpc() {
        "tools/call" => answer(&seen),
        _ => handshake(&seen),
    })
    .await;
    let session = server.open().await.unwrap();
    (server, session)
}

async fn called(answer: Answer) -> Result<ToolResult, McpError> {
    let (_server, session) = session(answer).await;
    let outcome = session.call_tool("echo", &arguments(json!({})), SOON).await;
    session.probe(SOON).await.unwrap();
    outcome
}

/// 64 MiB, one MiB at a time, behind `head`.
fn flood(head: &'static str) -> Body {
    let megabyte = Bytes::from(vec![b'x'; 1024 * 1024]);
    let flood = (0..64).map(move |_| megabyte.clone());
    let all = std::iter::once(Bytes::from_static(head.as_bytes())).chain(flood);
    Body::from_stream(futures::stream::iter(all.map(Ok::<_, std::io::Error>)))
}

#[tokio::test]
async fn a_result_passes_through_as_it_came() {
    let result = r#"{ "content":[{"type":"hologram","new":{"a":1e400}}],"structuredContent":[12345678901234567890123],"later":"ü", "_meta":{"x":null} }"#;
    let outcome = called(|seen| {
        let result = r#"{ "content":[{"type":"hologram","new":{"a":1e400}}],"structuredContent":[12345678901234567890123],"later":"ü", "_meta":{"x":null} }"#;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#,
            seen.body["id"]
        );
        ([("content-type", "application/json; charset=utf-8")], body).into_response()
    });
    assert_eq!(outcome.await.unwrap().json.get(), result);
}

#[tokio::test]
async fn a_tool_that_fails_is_told_from_a_call_that_fails() {
    let outcome = called(|seen| seen.result(&json!({ "content": [], "isError": true }))).await;
    assert!(outcome.unwrap().is_error);
}

#[tokio::test]
async fn answers_that_are_none_break_the_protocol() {
    let wrong: [(&str, Answer); 11] = [
        ("wrong id", |_| {
            json_body(&json!({ "jsonrpc": "2.0", "id": 99, "result": {} }))
        }),
        ("no id", |_| {
            json_body(&json!({ "jsonrpc": "2.0", "result": {} }))
        }),
        ("no result", |seen| {
            json_body(&json!({ "jsonrpc": "2.0", "id": seen.body["id"] }))
        }),
        ("no object", |seen| seen.result(&json!([1]))),
        ("a string", |_| json_body(&json!("hello"))),
        ("nothing", |_| status(202, [])),
        ("a page", |_| status(200, [("content-type", "text/html")])),
        ("invalid JSON", |_| {
            ([("content-type", "application/json")], "{\"id\":").into_response()
        }),
        ("invalid event", |_| events("data: {\"id\":\n\n")),
        ("a task", |seen| {
            seen.result(&json!({ "resultType": "task", "taskId": "1" }))
        }),
        ("odd error flag", |seen| {
            seen.result(&json!({ "content": [], "isError": "yes" }))
        }),
    ];
    for (what, answer) in wrong {
        let error = called(answer).await.unwrap_err();
        assert!(matches!(error, McpError::Protocol(_)), "{what}: {error}");
        assert!(!error.never_ran(), "{what}");
    }
}

#[tokio::test]
async fn an_error_without_id_answers_the_request_on_whose_stream_it_comes() {
    let outcome = called(|_| {
        json_body(
            &json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32700, "message": "parse" } }),
        )
    });
    assert!(matches!(
        outcome.await.unwrap_err(),
        McpError::Rpc { code: -32700, .. }
    ));
}

fn asks(seen: &Seen, method: &str, state: &Value) -> Response<Body> {
    let request = json!({ "method": method, "params": { "message": "Which\u{1b} city?" } });
    seen.result(&json!({
        "resultType": "input_required", "inputRequests": { "a": request }, "requestState": state,
    }))
}

#[tokio::test]
async fn a_person_who_is_asked_something_says_no_and_the_call_goes_on() {
    let (server, session) = session(|seen| match &seen.body["params"]["inputResponses"] {
        Value::Null => asks(seen, "elicitation/create", &json!("s")),
        _ => seen.result(&json!({ "resultType": "complete", "content": [] })),
    })
    .await;
    let one = arguments(json!({ "x": 1 }));
    session.call_tool("echo", &one, SOON).await.unwrap();
    let seen = server.seen();
    let calls: Vec<_> = seen
        .iter()
        .filter(|seen| seen.rpc() == "tools/call")
        .collect();
    let params = &calls[1].body["params"];
    assert_eq!(
        params["inputResponses"],
        json!({ "a": { "action": "decline" } })
    );
    assert_eq!(
        (&params["requestState"], &params["arguments"]),
        (&json!("s"), &json!({ "x": 1 }))
    );
    assert_ne!(calls[0].body["id"], calls[1].body["id"]);
}

#[tokio::test]
async fn what_cannot_be_declined_or_is_asked_for_ever_is_told() {
    let error = called(|seen| asks(seen, "sampling/createMessage", &json!(null))).await;
    let expected = "sampling/createMessage: Which  city?".to_owned();
    assert_eq!(error.unwrap_err(), McpError::InputRequired(expected));

    let (server, session) = session(|seen| asks(seen, "elicitation/create", &json!(null))).await;
    let error = session
        .call_tool("echo", &arguments(json!({})), SOON)
        .await
        .unwrap_err();
    let expected = "elicitation/create: Which  city?".to_owned();
    assert_eq!(error, McpError::InputRequired(expected));
    assert_eq!(server.count("tools/call"), 10);
}

#[tokio::test]
async fn a_server_that_only_wants_to_be_asked_again_is() {
    let outcome = called(|seen| match seen.body["params"]["requestState"].as_str() {
        Some("2") => seen.result(&json!({ "content": [] })),
        Some(_) => seen.result(&json!({ "resultType": "input_required", "requestState": "2" })),
        None => seen.result(&json!({ "resultType": "input_required", "requestState": "1" })),
    });
    outcome.await.unwrap();
}

#[tokio::test]
async fn an_answer_of_64_megabytes_is_cut_off() {
    let too_large: [Answer; 3] = [
        |_| ([("content-type", "application/json")], flood("{\"x\":\"")).into_response(),
        |_| events(flood("data: ")),
        |_| {
            let headers = [
                ("content-type", "application/json"),
                ("content-length", "99999999"),
            ];
            (headers, flood("")).into_response()
        },
    ];
    for answer in too_large {
        let error = called(answer).await.unwrap_err();
        assert!(
            matches!(error, McpError::Fetch(FetchError::TooLarge { .. })),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_result_of_a_hundred_thousand_levels_passes() {
    let outcome = called(|seen| {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[],"structuredContent":{deep}}}}}"#,
            seen.body["id"]
        );
        ([("content-type", "application/json")], body).into_response()
    });
    assert!(outcome.await.unwrap().json.get().len() > 200_000);
}

#[tokio::test]
async fn of_several_answers_the_first_counts_and_strangers_are_passed_over() {
    let outcome =
        called(|seen| {
            let id = &seen.body["id"];
            let answer = |id: &Value, n: u8| {
                event(&json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [], "n": n } }))
            };
            let quoted = json!(id.to_string());
            events([
            ": hello\n\n".to_owned(),
            event(&json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {} })),
            answer(&json!(5), 0),
            answer(&quoted, 1),
            answer(id, 2),
        ].concat())
        });
    assert_eq!(outcome.await.unwrap().json.get(), r#"{"content":[],"n":1}"#);
}

/// A body that never ends and never answers.
fn endless() -> Body {
    let ticks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(": tick\n\n"));
    let ticks = futures::StreamExt::then(ticks, |tick| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        tick
    });
    Body::from_stream(ticks)
}

#[tokio::test]
async fn a_stream_that_never_answers_is_cut_off_and_the_call_cancelled() {
    let (server, session) = session(|_| events(endless())).await;
    let limit = Duration::from_millis(300);
    let error = session
        .call_tool("echo", &arguments(json!({})), limit)
        .await
        .unwrap_err();
    assert!(
        matches!(error, McpError::Fetch(FetchError::Timeout { .. })),
        "{error}"
    );
    assert!(!error.never_ran());
    let cancelled = server
        .wait_for(|seen| seen.rpc() == "notifications/cancelled")
        .await;
    let call = server.wait_for(|seen| seen.rpc() == "tools/call").await;
    assert_eq!(cancelled.body["params"]["requestId"], call.body["id"]);
    assert_eq!(cancelled.header("mcp-session-id"), "s1");
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_the_call() {
    let (server, session) = session(|_| events(endless())).await;
    let empty = arguments(json!({}));
    {
        let call = session.call_tool("echo", &empty, SOON);
        let asked = server.wait_for(|seen| seen.rpc() == "tools/call");
        tokio::select! {
            outcome = call => panic!("{outcome:?}"),
            _ = asked => {}
        }
    }
    server
        .wait_for(|seen| seen.rpc() == "notifications/cancelled")
        .await;
    session.probe(SOON).await.unwrap();
}

#[tokio::test]
async fn on_2026_07_28_hanging_up_cancels() {
    struct Hung(tokio::sync::watch::Sender<bool>);
    impl Drop for Hung {
        fn drop(&mut self) {
            self.0.send_replace(true);
        }
    }
    let (hung_up, mut is_hung_up) = tokio::sync::watch::channel(false);
    let server = McpServer::start(move |seen| {
        if seen.rpc() != "tools/call" {
            return modern(&seen);
        }
        let hung = Hung(hung_up.clone());
        let ticks = futures::StreamExt::map(endless().into_data_stream(), move |tick| {
            let _ = &hung;
            tick
        });
        events(Body::from_stream(ticks))
    })
    .await;
    let session = server.open().await.unwrap();
    let limit = Duration::from_millis(300);
    session
        .call_tool("echo", &arguments(json!({})), limit)
        .await
        .unwrap_err();
    tokio::time::timeout(SOON, is_hung_up.wait_for(|up| *up))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(server.count("notifications/cancelled"), 0);
}
