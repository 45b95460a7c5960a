//! How a session begins, and what each request then carries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::json;
use userengine_engine::catalog::Endpoint;
use userengine_engine::mcp::{Credential, CredentialSource, McpError, Session, Target};

use super::arguments;
use crate::support::mcp::{
    McpServer, SOON, Seen, credential, egress, event, events, handshake, json_body, modern, open,
    silence, status, target,
};

#[tokio::test]
async fn speaks_2026_07_28_without_handshake_where_the_server_does() {
    let server = McpServer::start(|seen| modern(&seen)).await;
    let session = server.open().await.unwrap();
    session
        .call_tool("echo", &arguments(json!({ "text": "ü" })), SOON)
        .await
        .unwrap();
    session.probe(SOON).await.unwrap();
    session.close().await;

    let seen = server.seen();
    let methods: Vec<_> = seen.iter().map(Seen::rpc).collect();
    assert_eq!(
        methods,
        ["server/discover", "tools/call", "server/discover"]
    );
    for request in &seen {
        assert_eq!(request.header("mcp-protocol-version"), "2026-07-28");
        assert_eq!(request.header("mcp-method"), request.rpc());
        assert_eq!(request.header("mcp-session-id"), "");
        let meta = &request.body["params"]["_meta"];
        assert_eq!(
            meta["io.modelcontextprotocol/protocolVersion"],
            "2026-07-28"
        );
        assert_eq!(
            meta["io.modelcontextprotocol/clientCapabilities"],
            json!({})
        );
        assert_eq!(
            meta["io.modelcontextprotocol/clientInfo"]["name"],
            "userengine"
        );
    }
    assert_eq!(seen[1].header("mcp-name"), "echo");
    assert_eq!(server.connections(), 1, "the connection is used again");
}

#[tokio::test]
async fn falls_back_to_the_handshake_and_stays_in_its_session() {
    let server = McpServer::start(|seen| handshake(&seen)).await;
    let session = server.open().await.unwrap();
    let result = session
        .call_tool("echo", &arguments(json!({ "n": 1 })), SOON)
        .await
        .unwrap();
    assert_eq!(
        result.json.get(),
        r#"{"content":[],"structuredContent":{"n":1}}"#
    );
    session.probe(SOON).await.unwrap();
    session.close().await;

    let seen = server.seen();
    let initialize = seen.iter().find(|seen| seen.rpc() == "initialize").unwrap();
    assert_eq!(initialize.body["params"]["protocolVersion"], "2025-11-25");
    assert_eq!(initialize.body["params"]["capabilities"], json!({}));
    for rpc in ["notifications/initialized", "tools/call", "ping", "DELETE"] {
        let request = seen.iter().find(|seen| seen.rpc() == rpc).unwrap();
        assert_eq!(request.header("mcp-session-id"), "s1", "{rpc}");
        assert_eq!(
            request.header("mcp-protocol-version"),
            "2025-11-25",
            "{rpc}"
        );
        assert_eq!(request.header("mcp-method"), "", "{rpc}");
    }
}

#[tokio::test]
async fn falls_back_from_servers_that_trip_over_the_first_question() {
    for odd in [400, 404, 405, 415, 500, 202, 200] {
        let server = McpServer::start(move |seen| match seen.rpc() {
            "server/discover" => status(odd, [("content-type", "text/html")]),
            _ => handshake(&seen),
        })
        .await;
        assert!(server.open().await.is_ok(), "{odd}");
    }
}

#[tokio::test]
async fn falls_back_from_a_server_that_agrees_to_everything() {
    let sends: [fn(&Seen) -> Response<Body>; 2] = [
        |seen| seen.result(&json!({})),
        |seen| {
            events(event(
                &json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": {} }),
            ))
        },
    ];
    for send in sends {
        let server = McpServer::start(move |seen| match seen.rpc() {
            "server/discover" => send(&seen),
            _ => handshake(&seen),
        })
        .await;
        assert!(server.open().await.is_ok());
    }
}

#[tokio::test]
async fn asks_again_in_a_revision_that_the_server_names() {
    let server = McpServer::start(|seen| match seen.rpc() {
        "server/discover" if seen.body["id"] == 0 => {
            let data = json!({ "supported": ["2026-07-28"], "requested": "2026-07-28" });
            let error = json!({ "code": -32022, "message": "unsupported", "data": data });
            let mut response = json_body(&json!({ "jsonrpc": "2.0", "id": null, "error": error }));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
        _ => modern(&seen),
    })
    .await;
    server.open().await.unwrap();
    assert_eq!(server.count("server/discover"), 2);
    assert_eq!(server.count("initialize"), 0);
}

#[tokio::test]
async fn falls_back_from_a_server_that_does_not_answer_the_first_question() {
    let server = McpServer::start(|seen| match seen.rpc() {
        "server/discover" => silence(),
        _ => handshake(&seen),
    })
    .await;
    let endpoint = Endpoint::StreamableHttp(server.url.clone());
    let limit = Duration::from_secs(2);
    let session = Session::open(&egress(Some(&server.url)), target(endpoint, None), limit).await;
    assert!(session.is_ok(), "{session:?}");
}

#[tokio::test]
async fn tells_an_unwilling_server_from_one_that_does_not_speak_mcp() {
    let unwell = McpServer::start(|_| status(503, [("retry-after", "9")])).await;
    let retry_after = Some(Duration::from_secs(9));
    assert_eq!(
        unwell.open().await.unwrap_err(),
        McpError::Status {
            status: 503,
            retry_after
        }
    );
    let website = McpServer::start(|_| status(200, [("content-type", "text/html")])).await;
    let error = website.open().await.unwrap_err();
    assert!(matches!(error, McpError::Protocol(_)), "{error}");

    let nobody = McpServer::start(|seen| handshake(&seen)).await;
    let url = nobody.url.clone();
    drop(nobody);
    let error = open(Endpoint::StreamableHttp(url), None).await.unwrap_err();
    assert!(error.never_ran(), "{error}");
}

#[derive(Debug)]
struct Counting(AtomicU64);

impl CredentialSource for Counting {
    fn credential(&self) -> Result<Option<Credential>, String> {
        let generation = self.0.fetch_add(1, Ordering::SeqCst);
        let value = format!("Bearer token-{generation}");
        Ok(Some(Credential {
            generation,
            ..credential("Authorization", &value)
        }))
    }
}

#[tokio::test]
async fn each_request_carries_the_credential_of_its_moment() {
    let server = McpServer::start(|seen| handshake(&seen)).await;
    let credentials = Arc::new(Counting(AtomicU64::new(0)));
    let target = Target {
        credentials: credentials.clone(),
        ..target(Endpoint::StreamableHttp(server.url.clone()), None)
    };
    let session = Session::open(&egress(Some(&server.url)), target, SOON)
        .await
        .unwrap();
    session.list_tools(SOON).await.unwrap();
    session.close().await;
    let seen = server.seen();
    let mut tokens: Vec<_> = seen
        .iter()
        .map(|seen| seen.header("authorization"))
        .collect();
    assert!(
        tokens
            .iter()
            .all(|token| token.starts_with("Bearer token-"))
    );
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), seen.len(), "{tokens:?}");
    assert_eq!(credentials.0.load(Ordering::SeqCst), seen.len() as u64);
}

#[derive(Debug)]
struct Sealed;

impl CredentialSource for Sealed {
    fn credential(&self) -> Result<Option<Credential>, String> {
        Err("the key is missing".to_owned())
    }
}

#[tokio::test]
async fn nothing_is_sent_without_the_credential() {
    let server = McpServer::start(|seen| handshake(&seen)).await;
    let target = Target {
        credentials: Arc::new(Sealed),
        ..target(Endpoint::StreamableHttp(server.url.clone()), None)
    };
    let error = Session::open(&egress(Some(&server.url)), target, SOON)
        .await
        .unwrap_err();
    assert_eq!(error, McpError::Credential("the key is missing".to_owned()));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn follows_a_redirect_within_the_origin_and_remembers_it() {
    let server = McpServer::start(|seen| match seen.path.as_str() {
        "/mcp" => status(307, [("location", "/mcp/")]),
        _ => modern(&seen),
    })
    .await;
    let session = server.open().await.unwrap();
    session.list_tools(SOON).await.unwrap();
    let paths: Vec<_> = server.seen().iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(paths, ["/mcp", "/mcp/", "/mcp/"]);
}

#[tokio::test]
async fn takes_the_credential_to_no_other_origin() {
    let other = McpServer::start(|seen| modern(&seen)).await;
    let location: &'static str = other.url.to_string().leak();
    let server = McpServer::start(move |_| status(308, [("location", location)])).await;
    let endpoint = Endpoint::StreamableHttp(server.url.clone());
    let secret = credential("Authorization", "Bearer secret");
    let error = open(endpoint, Some(secret)).await.unwrap_err();
    assert!(matches!(error, McpError::Fetch(_)), "{error}");
    assert_eq!(other.seen().len(), 0);
}
