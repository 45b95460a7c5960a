//! The fastest MCP server that the benchmarks can have: JSON-RPC over streamable HTTP on hyper, and nothing else.
//!
//! `echo ADDRESS [BEARER]` prints the address it serves on and answers until a signal ends it. With BEARER it asks for
//! that token. It speaks 2026-07-28 and the revisions with a handshake, keeps no session and answers in JSON. Its two
//! tools give their argument `text` back: `echo` says that it only reads, `write` that it does not.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The revision without a handshake.
const MODERN: &str = "2026-07-28";
/// The revisions with one.
const LATEST_HANDSHAKE: &str = "2025-11-25";
const HANDSHAKES: [&str; 4] = [LATEST_HANDSHAKE, "2025-06-18", "2025-03-26", "2024-11-05"];

#[derive(Deserialize)]
struct Message<'a> {
    method: &'a str,
    /// Notifications have none.
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    params: Params,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Params {
    protocol_version: String,
    name: String,
    arguments: Arguments,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Arguments {
    text: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(address) = arguments.next() else {
        return Err(std::io::Error::other("usage: echo ADDRESS [BEARER]"));
    };
    let bearer = arguments.next().map(|token| format!("Bearer {token}"));
    let bearer: Arc<Option<String>> = Arc::new(bearer);

    let listener = TcpListener::bind(
        address
            .parse::<SocketAddr>()
            .map_err(std::io::Error::other)?,
    )
    .await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let bearer = bearer.clone();
        let service = service_fn(move |request| {
            let bearer = bearer.clone();
            async move { Ok::<_, Infallible>(answer(request, bearer.as_deref()).await) }
        });
        // A client that goes away in the middle of a request is no concern of others.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, bearer: Option<&str>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    if bearer.is_some() && text(&head.headers, header::AUTHORIZATION.as_str()) != bearer {
        return empty(StatusCode::UNAUTHORIZED);
    }
    match head.method {
        Method::POST => {}
        Method::DELETE => return empty(StatusCode::OK),
        _ => return empty(StatusCode::METHOD_NOT_ALLOWED),
    }
    let Ok(body) = body.collect().await else {
        return empty(StatusCode::BAD_REQUEST);
    };
    let body = body.to_bytes();
    let Ok(message) = serde_json::from_slice::<Message>(&body) else {
        return empty(StatusCode::BAD_REQUEST);
    };
    let Some(id) = message.id else {
        return empty(StatusCode::ACCEPTED);
    };
    let modern = text(&head.headers, "mcp-protocol-version") == Some(MODERN);
    let outcome = match result(&message, modern) {
        Some(result) => format!(r#""result":{result}"#),
        None => r#""error":{"code":-32601,"message":"no such method or tool"}"#.to_owned(),
    };
    let mut response = Response::new(Full::from(format!(
        r#"{{"jsonrpc":"2.0","id":{id},{outcome}}}"#
    )));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn result(message: &Message, modern: bool) -> Option<Value> {
    let params = &message.params;
    let content = json!([{ "type": "text", "text": params.arguments.text }]);
    Some(match message.method {
        "server/discover" => json!({
            "resultType": "complete",
            "supportedVersions": [MODERN],
            "capabilities": { "tools": {} },
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": { "io.modelcontextprotocol/serverInfo": server_info() },
        }),
        "initialize" => json!({
            "protocolVersion": handshake(&params.protocol_version),
            "capabilities": { "tools": {} },
            "serverInfo": server_info(),
        }),
        "ping" => json!({}),
        "tools/list" if modern => json!({
            "resultType": "complete",
            "tools": [tool("echo", true), tool("write", false)],
            "ttlMs": 0,
            "cacheScope": "private",
        }),
        "tools/list" => json!({ "tools": [tool("echo", true), tool("write", false)] }),
        "tools/call" if !["echo", "write"].contains(&params.name.as_str()) => return None,
        "tools/call" if modern => json!({ "resultType": "complete", "content": content }),
        "tools/call" => json!({ "content": content }),
        _ => return None,
    })
}

/// The revision of a handshake: the client's if it is one of them, else the newest.
fn handshake(asked: &str) -> &str {
    let known = HANDSHAKES.into_iter().find(|known| *known == asked);
    known.unwrap_or(LATEST_HANDSHAKE)
}

fn server_info() -> Value {
    json!({ "name": "echo", "version": env!("CARGO_PKG_VERSION") })
}

fn tool(name: &str, reads: bool) -> Value {
    json!({
        "name": name,
        "description": "Gives the text back.",
        "inputSchema": {
            "type": "object",
            "properties": { "text": { "type": "string" } },
            "required": ["text"],
        },
        "annotations": { "readOnlyHint": reads },
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
