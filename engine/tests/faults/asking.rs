//! What callers ask of the engine, and what they get.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::world::World;
use crate::support::faulty::Operation;
use crate::support::in_process::send;

/// What a caller got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub status: u16,
    /// `error` of the API.
    pub code: String,
    /// `details.reason`; of a page the kind of failure that it tells of.
    pub reason: String,
    pub body: Value,
}

impl Seen {
    pub fn is_ok(&self) -> bool {
        self.status == 200
    }

    /// Was the call refused before anything was sent: by the breaker, or because the server had asked for a pause?
    pub fn was_held(&self) -> bool {
        let message = self.body["message"].as_str().unwrap_or_default();
        self.reason == "circuit_open" || message.ends_with("asked for a pause")
    }
}

/// A call of a tool that was made.
#[derive(Debug, Clone)]
pub struct Called {
    pub tool: &'static str,
    pub seen: Seen,
}

impl World {
    async fn request(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-engine-key", "current")
            .header("content-type", "application/json");
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let request = request.body(body).unwrap();
        let answer = self.engine.api().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let mut answers = self.answers.lock().unwrap();
        writeln!(answers, "{head:?}\n{text}").unwrap();
        (head.status.as_u16(), text)
    }

    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Seen {
        let (status, text) = self.request(method, path, body).await;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match serde_json::from_str::<Value>(&text) {
            Ok(body) => Seen {
                status,
                code: word(&body["error"]),
                reason: word(&body["details"]["reason"]),
                body,
            },
            Err(_) => Seen {
                status,
                code: String::new(),
                reason: told(&text).to_owned(),
                body: Value::Null,
            },
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        let seen = self.ask("GET", path, Value::Null).await;
        assert!(seen.is_ok(), "{seen:?}");
        seen.body
    }

    pub async fn livez(&self) -> u16 {
        let answer = send(self.engine.internal(), "GET", "/livez", &[]).await;
        answer.status().as_u16()
    }

    /// Begins an authorization.
    pub async fn connect(&self) -> Seen {
        let body = json!({"server_name": "notes", "reconnect": true});
        self.ask("POST", "/assets/connect", body).await
    }

    /// Begins an authorization, and the person agrees at the provider.
    pub async fn consent(&self) {
        let begun = self.connect().await;
        let auth_url = begun.body["auth_url"].as_str();
        let auth_url = auth_url.unwrap_or_else(|| panic!("not begun: {begun:?}"));
        let back = self.server.approve(auth_url);
        *self.back.lock().unwrap() = format!("/assets/oauth/callback?{}", back.query().unwrap());
    }

    /// The person comes back.
    pub async fn come_back(&self) -> Seen {
        let path = self.back.lock().unwrap().clone();
        self.ask("GET", &path, Value::Null).await
    }

    /// Connects, all the way.
    pub async fn authorize(&self) {
        self.consent().await;
        let seen = self.come_back().await;
        assert!(seen.is_ok(), "{seen:?}");
    }

    pub async fn call(&self, tool: &'static str) -> Seen {
        let body = json!({"name": format!("notes.{tool}"), "arguments": {"text": "hello"}});
        let seen = self.ask("POST", "/tools/call", body).await;
        let called = Called {
            tool,
            seen: seen.clone(),
        };
        self.calls.lock().unwrap().push(called);
        seen
    }

    /// The one connection, as the API shows it; null if there is none.
    pub async fn connection(&self) -> Value {
        let all = self.get("/assets/connections").await;
        let all = all.as_array().unwrap();
        assert!(all.len() <= 1, "one server is connected once: {all:?}");
        match all.first() {
            Some(one) => {
                let id = one["ref_id"].as_str().unwrap();
                self.get(&format!("/assets/connections/{id}")).await
            }
            None => Value::Null,
        }
    }

    /// The state of the connection's breaker.
    pub async fn breaker(&self) -> String {
        let state = &self.connection().await["breaker"]["state"];
        state.as_str().unwrap_or_default().to_owned()
    }

    pub async fn disconnect(&self) {
        let id = self.connection().await["ref_id"].clone();
        let path = format!("/assets/connections/{}", id.as_str().unwrap());
        assert_eq!(self.ask("DELETE", &path, Value::Null).await.status, 204);
    }

    /// Before an attempt: what makes it come to the operation again.
    pub fn provoke(&self, operation: Operation) {
        match operation {
            Operation::Refresh => self.server.expire_access(),
            Operation::Initialize => self.server.forget_sessions(),
            _ => {}
        }
    }

    /// Whatever comes to this operation.
    pub async fn attempt(&self, operation: Operation) -> Seen {
        match operation {
            Operation::Discovery | Operation::Registration => self.connect().await,
            Operation::CodeExchange => self.come_back().await,
            Operation::ToolsCall => self.call("write").await,
            _ => self.call("echo").await,
        }
    }

    /// Everything before it.
    pub async fn prepare(&self, operation: Operation) {
        match operation {
            Operation::Discovery | Operation::Registration => {}
            Operation::CodeExchange => self.consent().await,
            Operation::ToolsList => self.authorize().await,
            _ => {
                self.authorize().await;
                assert!(self.call("echo").await.is_ok());
            }
        }
    }
}

/// The kind of failure that a page tells a person of.
fn told(page: &str) -> &'static str {
    let kinds = [
        ("did not answer within", "timeout"),
        ("failed to resolve", "unreachable"),
        ("failed to connect", "unreachable"),
        ("failed to agree on TLS", "unreachable"),
        ("broke: ", "unreachable"),
        ("the provider answered 503", "unreachable"),
        ("the provider answered 429", "rate_limited"),
        ("larger than", "protocol"),
        ("compressed its answer", "protocol"),
        ("failed to follow a redirect", "protocol"),
        ("answer cannot be used: ", "protocol"),
        ("the provider refused: ", "protocol"),
    ];
    let kind = kinds.into_iter().find(|(words, _)| page.contains(words));
    kind.map_or("", |(_, kind)| kind)
}

/// What this thread has computed so far.
pub fn thread_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = text.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}
