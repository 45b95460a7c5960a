//! One caller of one tool, by whichever way: every call has a text of its own, and its answer must hold that text.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::http::{Connection, post};
use crate::server::API_KEY;

/// The revision that the other proxies speak with their clients.
const REVISION: &str = "2025-11-25";

/// Where calls go in.
#[derive(Debug, Clone)]
pub struct Door {
    /// Host and port.
    pub address: SocketAddr,
    /// How it is spoken to.
    pub speech: Speech,
}

/// How a door is spoken to.
#[derive(Debug, Clone)]
pub enum Speech {
    /// The engine's API, and the tool's whole name.
    Engine(String),
    /// MCP at this path; the tool is the one whose name ends so.
    Mcp {
        /// The endpoint.
        path: String,
        /// `echo` or `write`.
        tool: String,
    },
}

/// A caller with a connection, and with a session if the other side has them.
pub struct Caller {
    connection: Connection,
    path: String,
    headers: String,
    /// The body before the text and after it.
    body: (String, String),
}

impl Caller {
    /// Connects, and shakes hands if that is how it is done.
    pub fn open(door: &Door) -> anyhow::Result<Self> {
        let connection = Connection::open(door.address)?;
        match &door.speech {
            Speech::Engine(tool) => Ok(Self {
                connection,
                path: "/tools/call".to_owned(),
                headers: format!("X-Engine-Key: {API_KEY}\r\n"),
                body: around(&json!({ "name": tool, "arguments": { "text": TEXT } })),
            }),
            Speech::Mcp { path, tool } => Self::shake_hands(connection, path, tool),
        }
    }

    fn shake_hands(connection: Connection, path: &str, tool: &str) -> anyhow::Result<Self> {
        let mut caller = Self {
            connection,
            path: path.to_owned(),
            headers: "Accept: application/json, text/event-stream\r\n".to_owned(),
            body: (String::new(), String::new()),
        };
        let hello = json!({
            "protocolVersion": REVISION,
            "capabilities": {},
            "clientInfo": { "name": "bench", "version": "1" },
        });
        caller.request("initialize", &hello)?;
        let mut headers = format!("{}MCP-Protocol-Version: {REVISION}\r\n", caller.headers);
        if let Some(session) = caller.connection.session() {
            headers = format!("{headers}Mcp-Session-Id: {session}\r\n");
        }
        caller.headers = headers;
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let ready = post(&caller.path, &caller.headers, &ready.to_string());
        caller.connection.exchange(&ready)?;

        let listed = caller.request("tools/list", &json!({}))?;
        let tools = listed.pointer("/result/tools").and_then(Value::as_array);
        let names = tools
            .into_iter()
            .flatten()
            .filter_map(|tool| tool.get("name")?.as_str());
        let name = names
            .into_iter()
            .find(|name| name.ends_with(tool))
            .context("no such tool")?;
        let params = json!({ "name": name, "arguments": { "text": TEXT } });
        caller.body = around(&message("tools/call", &params));
        Ok(caller)
    }

    fn request(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        let request = post(
            &self.path,
            &self.headers,
            &message(method, params).to_string(),
        );
        let (status, body) = self.connection.exchange(&request)?;
        let text = String::from_utf8_lossy(body).into_owned();
        ensure!(status == 200, "{method} was answered {status}: {text}");
        // As JSON, or as the only event of a stream.
        let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let json = events.map(str::trim).find(|event| event.starts_with('{'));
        Ok(serde_json::from_str(json.unwrap_or(&text))?)
    }

    /// One call. Its answer must hold what was sent; anything else is an error.
    pub fn call(&mut self) -> anyhow::Result<()> {
        // Distinct in the whole run, so that an answer of another call is noticed.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let text = format!("text-{:012}", NEXT.fetch_add(1, Ordering::Relaxed));
        let body = format!("{}{text}{}", self.body.0, self.body.1);
        let request = post(&self.path, &self.headers, &body);
        let (status, answer) = self.connection.exchange(&request)?;
        let found = answer
            .windows(text.len())
            .any(|part| part == text.as_bytes());
        ensure!(
            status == 200 && found,
            "answered {status}: {}",
            String::from_utf8_lossy(answer)
        );
        Ok(())
    }
}

/// Stands for the text of a call.
const TEXT: &str = "@TEXT@";

fn message(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

fn around(body: &Value) -> (String, String) {
    let body = body.to_string();
    let (before, after) = body.split_once(TEXT).unwrap_or((&body, ""));
    (before.to_owned(), after.to_owned())
}
