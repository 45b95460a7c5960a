//! What comes on streams beside answers, streams that break, and HTTP+SSE.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use userengine_engine::catalog::Endpoint;
use userengine_engine::mcp::{McpError, Session};

use super::arguments;
use crate::support::mcp::{
    McpServer, SOON, Seen, credential, echo_tool, event, events, handshake, modern, open, status,
};

async fn changes(session: &Session) {
    let mut count = session.tools_changed();
    let risen = count.wait_for(|count| *count > 0);
    tokio::time::timeout(SOON, risen).await.unwrap().unwrap();
}

fn answer(seen: &Seen, result: &Value) -> String {
    event(&json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": result }))
}

#[tokio::test]
async fn what_a_server_says_and_asks_meanwhile_is_dealt_with() {
    let server = McpServer::start(|seen| match seen.rpc() {
        "tools/call" => events([
            event(&json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" })),
            event(&json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" })),
            event(&json!({ "jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": {} })),
            event(&json!({ "jsonrpc": "2.0", "id": 2, "method": "sampling/createMessage", "params": {} })),
            answer(&seen, &json!({ "content": [] })),
        ].concat()),
        _ => handshake(&seen),
    })
    .await;
    let session = server.open().await.unwrap();
    session
        .call_tool("echo", &arguments(json!({})), SOON)
        .await
        .unwrap();
    changes(&session).await;
    let answered = async |id: Value| {
        server
            .wait_for(move |seen| seen.body["method"].is_null() && seen.body["id"] == id)
            .await
            .body
    };
    assert_eq!(answered(json!("p")).await["result"], json!({}));
    assert_eq!(answered(json!(1)).await["result"]["action"], "decline");
    assert_eq!(answered(json!(2)).await["error"]["code"], -32601);
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_where_it_ended_and_the_call_is_not_sent_again() {
    let server = McpServer::start(|seen| match seen.rpc() {
        "tools/call" => events("id: e1\nretry: 20\ndata:\n\n"),
        "GET" if seen.header("last-event-id") == "e1" => {
            // Once more it breaks, further on.
            events("id: e2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n")
        }
        "GET" if seen.header("last-event-id") == "e2" => {
            let id = 1 << 30;
            events(event(
                &json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [] } }),
            ))
        }
        _ => handshake(&seen),
    })
    .await;
    let session = server.open().await.unwrap();
    session
        .call_tool("echo", &arguments(json!({})), SOON)
        .await
        .unwrap();
    assert_eq!(server.count("tools/call"), 1);
    let resumed = server
        .wait_for(|seen| seen.header("last-event-id") == "e2")
        .await;
    assert_eq!(resumed.header("mcp-session-id"), "s1");
}

#[tokio::test]
async fn an_answer_that_comes_on_the_stream_of_notices_is_taken() {
    let (said, _) = watch::channel(None);
    let said = Arc::new(said);
    let server = McpServer::start(move |seen| match seen.rpc() {
        "tools/call" => {
            said.send_replace(Some(answer(&seen, &json!({ "content": ["late"] }))));
            events(Body::from_stream(silent()))
        }
        "GET" => {
            let mut said = said.subscribe();
            let first = async move {
                Ok(said
                    .wait_for(Option::is_some)
                    .await
                    .unwrap()
                    .clone()
                    .unwrap())
            };
            events(Body::from_stream(
                futures::stream::once(first).chain(silent()),
            ))
        }
        _ => handshake(&seen),
    })
    .await;
    let session = server.open().await.unwrap();
    let nothing = arguments(json!({}));
    let result = session.call_tool("echo", &nothing, SOON).await.unwrap();
    assert_eq!(result.json.get(), r#"{"content":["late"]}"#);
    assert_eq!(server.count("tools/call"), 1);
    assert_eq!(server.count("notifications/cancelled"), 0);
}

/// A stream that stays open.
fn silent() -> impl futures::Stream<Item = std::io::Result<String>> + Send {
    futures::stream::pending()
}

#[tokio::test]
async fn notices_are_heard_on_the_stream_of_the_handshake() {
    let server = McpServer::start(|seen| match seen.rpc() {
        "GET" => {
            let notice = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
            let large = format!("data: \"{}\"\n\n", "x".repeat(17 * 1024 * 1024));
            let first = futures::stream::iter([Ok::<_, std::io::Error>(large), Ok(event(&notice))]);
            events(Body::from_stream(first.chain(futures::stream::pending())))
        }
        _ => handshake(&seen),
    })
    .await;
    let session = server.open().await.unwrap();
    changes(&session).await;
    assert_eq!(
        server.count("GET"),
        1,
        "an event beyond the limit is left out"
    );
}

#[tokio::test]
async fn notices_are_heard_on_2026_07_28() {
    let server = McpServer::start(|seen| match seen.rpc() {
        "server/discover" => seen.result(&json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": { "tools": { "listChanged": true } }, "ttlMs": 0, "cacheScope": "private",
        })),
        "subscriptions/listen" => {
            let meta = json!({ "io.modelcontextprotocol/subscriptionId": seen.body["id"] });
            let said = |method: &str, params: Value| {
                let mut params = params;
                params["_meta"] = meta.clone();
                event(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
            };
            let first = [
                said("notifications/subscriptions/acknowledged", json!({ "notifications": { "toolsListChanged": true } })),
                said("notifications/tools/list_changed", json!({})),
            ];
            let first = futures::stream::iter(first.map(Ok::<_, std::io::Error>));
            events(Body::from_stream(first.chain(futures::stream::pending())))
        }
        _ => modern(&seen),
    })
    .await;
    let session = server.open().await.unwrap();
    changes(&session).await;
    let listen = server
        .wait_for(|seen| seen.rpc() == "subscriptions/listen")
        .await;
    assert_eq!(
        listen.body["params"]["notifications"],
        json!({ "toolsListChanged": true })
    );
    session.list_tools(SOON).await.unwrap();
}

/// A server of 2024-11-05 that names this endpoint; what it says goes to all streams.
async fn sse_server(endpoint: &'static str) -> (McpServer, broadcast::Sender<Option<String>>) {
    let (said, _) = broadcast::channel(100);
    let (says, mute) = (said.clone(), Arc::new(AtomicBool::new(false)));
    let server = McpServer::start(move |seen| {
        if seen.method == "GET" {
            let first = format!("event: endpoint\ndata: {endpoint}\n\n");
            let rest = futures::stream::unfold(says.subscribe(), |mut said| async move {
                let next = said.recv().await.ok().flatten()?;
                Some((Ok::<_, std::io::Error>(next), said))
            });
            let first = futures::stream::iter([Ok(first)]);
            return events(Body::from_stream(first.chain(rest)));
        }
        let result = match seen.rpc() {
            "initialize" => json!({ "protocolVersion": "2024-11-05", "capabilities": { "tools": {} }, "serverInfo": { "name": "s", "version": "1" } }),
            "tools/list" => json!({ "tools": [echo_tool()] }),
            "tools/call" if seen.body["params"]["name"] == "silent" => {
                mute.store(true, Ordering::SeqCst);
                return status(202, []);
            }
            "tools/call" => json!({ "content": [], "new": seen.body["params"]["arguments"] }),
            "server/discover" => {
                let error = json!({ "code": -32601, "message": "unknown" });
                let message = json!({ "jsonrpc": "2.0", "id": seen.body["id"], "error": error });
                says.send(Some(event(&message))).unwrap();
                return status(202, []);
            }
            _ => return status(202, []),
        };
        says.send(Some(answer(&seen, &result))).unwrap();
        status(202, [])
    })
    .await;
    (server, said)
}

#[tokio::test]
async fn http_with_sse_posts_to_the_endpoint_and_reads_the_stream() {
    let (server, _said) = sse_server("messages?id=1").await;
    let endpoint = Endpoint::Sse(server.url.join("/a/sse").unwrap());
    let token = credential("Authorization", "Bearer token");
    let session = open(endpoint, Some(token)).await.unwrap();
    assert_eq!(session.list_tools(SOON).await.unwrap().len(), 1);
    let result = session
        .call_tool("echo", &arguments(json!({ "a": 1 })), SOON)
        .await
        .unwrap();
    assert_eq!(result.json.get(), r#"{"content":[],"new":{"a":1}}"#);
    for seen in server.seen() {
        assert_eq!(seen.header("authorization"), "Bearer token");
        let expected = if seen.method == "GET" {
            "/a/sse"
        } else {
            "/a/messages?id=1"
        };
        assert_eq!(seen.path, expected);
    }
}

#[tokio::test]
async fn http_with_sse_cancels_what_nobody_waits_for() {
    let (server, _said) = sse_server("/messages").await;
    let session = open(Endpoint::Sse(server.url.clone()), None).await.unwrap();
    let limit = std::time::Duration::from_millis(200);
    let error = session
        .call_tool("silent", &arguments(json!({})), limit)
        .await
        .unwrap_err();
    assert!(!error.never_ran());
    let cancelled = server
        .wait_for(|seen| seen.rpc() == "notifications/cancelled")
        .await;
    let call = server.wait_for(|seen| seen.rpc() == "tools/call").await;
    assert_eq!(cancelled.body["params"]["requestId"], call.body["id"]);
}

#[tokio::test]
async fn the_end_of_the_stream_ends_the_session_and_the_calls_in_it() {
    let (server, said) = sse_server("/messages").await;
    let session = open(Endpoint::Sse(server.url.clone()), None).await.unwrap();
    let empty = arguments(json!({}));
    let call = session.call_tool("silent", &empty, SOON);
    let end = async {
        server.wait_for(|seen| seen.rpc() == "tools/call").await;
        said.send(None).unwrap();
    };
    let (outcome, ()) = tokio::join!(call, end);
    let error = outcome.unwrap_err();
    assert_eq!(
        error,
        McpError::Closed("the server ended the stream".to_owned())
    );
    assert!(session.is_closed());
    let late = session.call_tool("echo", &empty, SOON).await.unwrap_err();
    assert_eq!(late, error);
}

#[tokio::test]
async fn http_with_sse_posts_to_no_other_origin() {
    for elsewhere in [
        "http://127.0.0.1:1/messages",
        "//127.0.0.2/messages",
        "https://127.0.0.1/",
        "http://[",
    ] {
        let (server, _said) = sse_server(elsewhere.to_owned().leak()).await;
        let token = credential("Authorization", "Bearer token");
        let error = open(Endpoint::Sse(server.url.clone()), Some(token))
            .await
            .unwrap_err();
        assert!(
            matches!(error, McpError::Protocol(_)),
            "{elsewhere}: {error}"
        );
        assert_eq!(server.seen().len(), 1, "{elsewhere}");
    }
}
