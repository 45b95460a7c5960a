//! MCP servers of our own for the tests: plain JSON over plain HTTP, without rmcp, so that they can be as wrong as a test
//! wants them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use http_body_util::BodyExt;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use url::Url;
use userengine_engine::catalog::Endpoint;
use userengine_engine::config::{ConnectorsConfig, Environment, HttpConfig};
use userengine_engine::egress::Egress;
use userengine_engine::mcp::{Credential, CredentialSource, McpError, Session, Target};

/// How long a test waits for what must come.
pub const SOON: Duration = Duration::from_secs(30);

/// What the server got.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Seen {
    /// The JSON-RPC method; for a request without body the HTTP method.
    pub fn rpc(&self) -> &str {
        self.body["method"].as_str().unwrap_or(self.method.as_str())
    }

    /// The header as text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// An answer with this result.
    pub fn result(&self, result: &Value) -> Response<Body> {
        json_body(&json!({ "jsonrpc": "2.0", "id": self.body["id"], "result": result }))
    }

    /// An answer with this error.
    pub fn error(&self, status: u16, code: i64, message: &str) -> Response<Body> {
        let error = json!({ "code": code, "message": message });
        let body = json!({ "jsonrpc": "2.0", "id": self.body["id"], "error": error });
        let mut response = json_body(&body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }
}

/// A server that answers as a function says.
pub struct McpServer {
    pub url: Url,
    seen: watch::Receiver<Vec<Seen>>,
    connections: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl McpServer {
    pub async fn start<F>(answer: F) -> Self
    where
        F: Fn(Seen) -> Response<Body> + Clone + Send + Sync + 'static,
    {
        let (sender, seen) = watch::channel(Vec::new());
        let sender = Arc::new(sender);
        let service = move |request: Request| {
            let (answer, sender) = (answer.clone(), sender.clone());
            async move {
                let seen = read(request).await;
                sender.send_modify(|all: &mut Vec<Seen>| all.push(seen.clone()));
                let response = answer(seen);
                if response.extensions().get::<Silence>().is_some() {
                    std::future::pending::<()>().await;
                }
                response
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let listener = listener.tap_io(move |stream| {
            stream.set_nodelay(true).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        });
        let router = Router::new().fallback(service);
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        Self {
            url: Url::parse(&format!("http://{address}/mcp")).unwrap(),
            seen,
            connections,
            task: tokio::spawn(serving).abort_handle(),
        }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// How often this method was called.
    pub fn count(&self, rpc: &str) -> usize {
        self.seen().iter().filter(|seen| seen.rpc() == rpc).count()
    }

    /// Waits for a request.
    pub async fn wait_for(&self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let mut all = self.seen.clone();
        let found = all.wait_for(|all| all.iter().any(&wanted));
        let all = tokio::time::timeout(SOON, found).await.unwrap().unwrap();
        all.iter().find(|seen| wanted(seen)).unwrap().clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// A session over streamable HTTP.
    pub async fn open(&self) -> Result<Session, McpError> {
        open(Endpoint::StreamableHttp(self.url.clone()), None).await
    }
}

impl Drop for McpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(request: Request) -> Seen {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Seen {
        method: head.method,
        path: head.uri.to_string(),
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

/// A credential that never changes.
#[derive(Debug)]
pub struct Fixed(pub Option<Credential>);

impl CredentialSource for Fixed {
    fn credential(&self) -> Result<Option<Credential>, String> {
        Ok(self.0.clone())
    }
}

/// `name: value` as generation 7.
pub fn credential(name: &str, value: &str) -> Credential {
    Credential {
        name: name.to_owned(),
        value: SecretString::from(value.to_owned()),
        generation: 7,
    }
}

/// The way out to this machine.
pub fn egress(url: Option<&Url>) -> Egress {
    let allow = url.map(|url| {
        let (host, port) = (url.host_str().unwrap(), url.port().unwrap());
        format!("http://{host}:{port}")
    });
    let environment = match &allow {
        Some(allow) => Environment::of(&[("EGRESS_ALLOW", allow)]),
        None => Environment::of(&[]),
    };
    let http = HttpConfig::read(&environment).unwrap();
    Egress::new(&ConnectorsConfig::read(&environment, &http).unwrap()).unwrap()
}

/// What a session with this server is opened with.
pub fn target(endpoint: Endpoint, credential: Option<Credential>) -> Target {
    Target {
        endpoint,
        credentials: Arc::new(Fixed(credential)),
        label: "a-server".to_owned(),
    }
}

/// Opens a session.
pub async fn open(endpoint: Endpoint, credential: Option<Credential>) -> Result<Session, McpError> {
    let egress = egress(endpoint.url());
    Session::open(&egress, target(endpoint, credential), SOON).await
}

/// 200 with this JSON.
pub fn json_body(body: &Value) -> Response<Body> {
    let headers = [("content-type", "application/json")];
    (headers, body.to_string()).into_response()
}

/// 200 with this text as a stream of events.
pub fn events(text: impl Into<Body>) -> Response<Body> {
    let headers = [("content-type", "text/event-stream")];
    (headers, text.into()).into_response()
}

/// One event with this message.
pub fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

/// Only a status and some headers.
pub fn status<const N: usize>(
    status: u16,
    headers: [(&'static str, &'static str); N],
) -> Response<Body> {
    (StatusCode::from_u16(status).unwrap(), headers).into_response()
}

#[derive(Clone)]
struct Silence;

/// No answer at all, while the connection stays open.
pub fn silence() -> Response<Body> {
    let mut response = status(200, []);
    response.extensions_mut().insert(Silence);
    response
}

/// The tool that both kinds of server have.
pub fn echo_tool() -> Value {
    json!({ "name": "echo", "description": "Says it again.", "inputSchema": { "type": "object" } })
}

/// A server of 2026-07-28: no handshake, no session. `echo` gives its arguments back.
pub fn modern(seen: &Seen) -> Response<Body> {
    match seen.rpc() {
        "server/discover" => seen.result(&json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
            "ttlMs": 0, "cacheScope": "private",
        })),
        "tools/list" => seen.result(&json!({
            "resultType": "complete", "tools": [echo_tool()], "ttlMs": 0, "cacheScope": "private",
        })),
        "tools/call" => seen.result(&json!({ "resultType": "complete", "content": [], "structuredContent": seen.body["params"]["arguments"] })),
        _ => seen.error(404, -32601, "unknown"),
    }
}

/// A server of the handshake, with the session `s1`. `echo` gives its arguments back.
pub fn handshake(seen: &Seen) -> Response<Body> {
    match seen.rpc() {
        "server/discover" => seen.error(400, -32000, "Bad Request: Server not initialized"),
        "initialize" => {
            let mut response = seen.result(&json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": { "listChanged": true } },
                "serverInfo": { "name": "test", "version": "1" },
            }));
            response
                .headers_mut()
                .insert("mcp-session-id", "s1".parse().unwrap());
            response
        }
        "tools/list" => seen.result(&json!({ "tools": [echo_tool()] })),
        "tools/call" => seen.result(
            &json!({ "content": [], "structuredContent": seen.body["params"]["arguments"] }),
        ),
        "ping" => seen.result(&json!({})),
        "GET" => status(405, []),
        "DELETE" => status(200, []),
        _ => status(202, []),
    }
}
