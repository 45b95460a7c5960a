//! An MCP server of the handshake era that does as it is told, and can be away.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use userengine_engine::serve::{Drained, serve};

/// Longer than anything here takes, also on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub headers: HeaderMap,
    pub body: Value,
}

impl Seen {
    pub fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or("GET")
    }

    pub fn tool(&self) -> &str {
        self.body["params"]["name"].as_str().unwrap_or_default()
    }
}

/// What becomes of a request.
pub enum Reply {
    /// What a good server would say.
    Usual,
    Result(Value),
    Error(i64, &'static str),
    Status(u16, Vec<(&'static str, String)>),
    /// None, ever.
    Silence,
    /// This text as the body, whatever it is.
    Text(String),
    /// An event of so many bytes, of which nobody is told beforehand.
    Flood(usize),
}

type Behaviour = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

struct Shared {
    behaviour: Mutex<Behaviour>,
    tools: Mutex<Vec<Value>>,
    seen: watch::Sender<Vec<Seen>>,
    notices: broadcast::Sender<()>,
    listeners: watch::Sender<usize>,
}

pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: Option<(oneshot::Sender<()>, JoinHandle<Drained>)>,
}

/// A tool that takes a text.
pub fn tool(name: &str) -> Value {
    json!({
        "name": name,
        "description": format!("Does {name}."),
        "inputSchema": {
            "type": "object",
            "properties": { "text": { "type": "string" } },
            "required": ["text"]
        }
    })
}

impl Upstream {
    /// A server with the tools `read` and `write`, of which the first says that it only reads.
    pub async fn start() -> Self {
        let mut read = tool("read");
        read["annotations"] = json!({ "readOnlyHint": true });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut upstream = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                behaviour: Mutex::new(Arc::new(|_: &Seen| Reply::Usual)),
                tools: Mutex::new(vec![read, tool("write")]),
                seen: watch::Sender::default(),
                notices: broadcast::Sender::new(16),
                listeners: watch::Sender::default(),
            }),
            running: None,
        };
        upstream.serve(listener);
        upstream
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// For `EGRESS_ALLOW`.
    pub fn allowed(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn behave(&self, behaviour: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        *self.shared.behaviour.lock().unwrap() = Arc::new(behaviour);
    }

    /// Calls of tools get this reply, everything else the usual one.
    pub fn answer_calls(&self, reply: impl Fn() -> Reply + Send + Sync + 'static) {
        self.behave(move |seen| {
            if seen.method() == "tools/call" {
                reply()
            } else {
                Reply::Usual
            }
        });
    }

    pub fn set_tools(&self, tools: Vec<Value>) {
        *self.shared.tools.lock().unwrap() = tools;
    }

    /// Tells that its tools changed, once somebody listens.
    pub async fn notify_tools_changed(&self) {
        let mut listeners = self.shared.listeners.subscribe();
        let listening = listeners.wait_for(|count| *count > 0);
        timeout(SOON, listening).await.unwrap().unwrap();
        self.shared.notices.send(()).unwrap();
    }

    /// Nobody listens at its address any more, and every connection is cut.
    pub async fn go_away(&mut self) {
        let (stop, served) = self.running.take().unwrap();
        drop(stop);
        served.await.unwrap();
    }

    /// Listens at the same address again.
    pub async fn come_back(&mut self) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.borrow().clone()
    }

    /// How many requests with this method came.
    pub fn count(&self, method: &str) -> usize {
        self.seen()
            .iter()
            .filter(|seen| seen.method() == method)
            .count()
    }

    /// Waits until so many requests with this method have come.
    pub async fn wait_for(&self, method: &str, count: usize) {
        let mut seen = self.shared.seen.subscribe();
        let enough =
            seen.wait_for(|all| all.iter().filter(|seen| seen.method() == method).count() >= count);
        timeout(SOON, enough).await.unwrap().unwrap();
    }

    fn serve(&mut self, listener: TcpListener) {
        let shared = self.shared.clone();
        let answer = move |method: Method, headers: HeaderMap, body: Bytes| {
            let shared = shared.clone();
            async move {
                match method {
                    Method::POST => {}
                    Method::GET => return shared.notices(),
                    _ => return status(200, Vec::new()),
                }
                let body: Value = serde_json::from_slice(&body).unwrap();
                shared.answer(Seen { headers, body }).await
            }
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let router = Router::new().fallback(answer);
        let served = tokio::spawn(serve(listener, router, stopped, Duration::ZERO));
        self.running = Some((stop, served));
    }
}

impl Shared {
    async fn answer(&self, seen: Seen) -> Response<Body> {
        let behaviour = self.behaviour.lock().unwrap().clone();
        self.seen.send_modify(|all| all.push(seen.clone()));
        let id = &seen.body["id"];
        let body = match behaviour(&seen) {
            Reply::Usual => match self.usual(&seen) {
                Some(Ok(result)) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
                Some(Err(error)) => json!({ "jsonrpc": "2.0", "id": id, "error": error }),
                None => return status(202, Vec::new()),
            },
            Reply::Result(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Reply::Error(code, message) => {
                json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
            }
            Reply::Status(code, headers) => return status(code, headers),
            Reply::Silence => std::future::pending().await,
            Reply::Text(text) => return json_body(text),
            Reply::Flood(bytes) => return flood(bytes),
        };
        let mut response = json_body(body.to_string());
        if seen.method() == "initialize" {
            response
                .headers_mut()
                .insert("mcp-session-id", "a-session".parse().unwrap());
        }
        response
    }

    /// The stream on which the server speaks by itself.
    fn notices(&self) -> Response<Body> {
        let notices = self.notices.subscribe();
        self.listeners.send_modify(|count| *count += 1);
        let notices = futures::stream::unfold(notices, |mut notices| async {
            notices.recv().await.ok()?;
            let notice = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
            Some((
                Ok::<_, std::io::Error>(format!("data: {notice}\n\n")),
                notices,
            ))
        });
        let response = Response::builder().header("content-type", "text/event-stream");
        response.body(Body::from_stream(notices)).unwrap()
    }

    fn usual(&self, seen: &Seen) -> Option<Result<Value, Value>> {
        let tools = || self.tools.lock().unwrap().clone();
        Some(Ok(match seen.method() {
            "initialize" => json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": { "listChanged": true } },
                "serverInfo": { "name": "upstream", "version": "1" }
            }),
            "ping" => json!({}),
            "tools/list" => json!({ "tools": tools() }),
            "tools/call" => {
                let text = &seen.body["params"]["arguments"]["text"];
                json!({ "content": [{ "type": "text", "text": text }], "isError": false })
            }
            method if method.starts_with("notifications/") => return None,
            _ => {
                return Some(Err(
                    json!({ "code": -32601, "message": "Method not found" }),
                ));
            }
        }))
    }
}

fn status(code: u16, headers: Vec<(&'static str, String)>) -> Response<Body> {
    let mut response = Response::builder().status(StatusCode::from_u16(code).unwrap());
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::empty()).unwrap()
}

fn flood(bytes: usize) -> Response<Body> {
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    let pieces = std::iter::repeat_n(piece.clone(), bytes / piece.len());
    let event = std::iter::once(Bytes::from("data: ")).chain(pieces);
    let event = futures::stream::iter(event.map(Ok::<_, std::io::Error>));
    let response = Response::builder().header("content-type", "text/event-stream");
    response.body(Body::from_stream(event)).unwrap()
}

fn json_body(text: String) -> Response<Body> {
    let response = Response::builder().header("content-type", "application/json");
    response.body(Body::from(text)).unwrap()
}
