//! The MCP server, as it should be: revision 2025-11-25 with sessions, three tools.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::provider::Access;
use super::wire::{Answer, Request};

/// Sessions, and what the tools did.
#[derive(Debug, Default)]
pub(super) struct Mcp {
    sessions: BTreeSet<String>,
    begun: usize,
    /// Texts that the tool `write` was called with.
    pub(super) written: Vec<String>,
}

impl Mcp {
    /// The answer, the header of a new session aside, as a JSON-RPC message; `Err` is an answer without one.
    pub(super) fn answer(&mut self, request: &Request, access: &Access) -> Result<Answer, Answer> {
        let message = request.json();
        let method = message["method"].as_str().unwrap_or_default();
        match method {
            "initialize" => return Ok(self.begin(&message)),
            // As servers of this revision answer to what they do not know.
            "server/discover" => return Ok(Answer::json(200, &unknown(&message))),
            _ => {}
        }
        match request.header("mcp-session-id") {
            None => return Err(Answer::empty(400)),
            Some(session) if !self.sessions.contains(session) => return Err(Answer::empty(404)),
            Some(_) => {}
        }
        if message["id"].is_null() {
            return Err(Answer::empty(202));
        }
        let result = match method {
            "ping" => json!({}),
            "tools/list" => json!({"tools": tools()}),
            "tools/call" => self.call(&message["params"], access),
            _ => return Ok(Answer::json(200, &unknown(&message))),
        };
        let id = &message["id"];
        Ok(Answer::json(
            200,
            &json!({"jsonrpc": "2.0", "id": id, "result": result}),
        ))
    }

    fn begin(&mut self, message: &Value) -> Answer {
        self.begun += 1;
        let session = format!("session-{}", self.begun);
        self.sessions.insert(session.clone());
        let result = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "faulty", "version": "1"},
        });
        let id = &message["id"];
        let message = json!({"jsonrpc": "2.0", "id": id, "result": result});
        Answer::json(200, &message).with("mcp-session-id", session)
    }

    pub(super) fn end(&mut self, request: &Request) -> Answer {
        let session = request.header("mcp-session-id").unwrap_or_default();
        let status = if self.sessions.remove(session) {
            200
        } else {
            404
        };
        Answer::empty(status)
    }

    pub(super) fn forget_sessions(&mut self) {
        self.sessions.clear();
    }

    fn call(&mut self, params: &Value, access: &Access) -> Value {
        let text = params["arguments"]["text"].as_str().unwrap_or_default();
        match params["name"].as_str() {
            Some("write") => self.written.push(text.to_owned()),
            Some("echo") => {}
            Some("scopes") => return said(&access.scope),
            _ => return json!({"content": [], "isError": true}),
        }
        said(text)
    }
}

fn said(text: &str) -> Value {
    let content = json!([{"type": "text", "text": text}]);
    json!({"content": content, "structuredContent": {"text": text}})
}

fn unknown(message: &Value) -> Value {
    let error = json!({"code": -32601, "message": "Method not found"});
    json!({"jsonrpc": "2.0", "id": message["id"], "error": error})
}

fn tools() -> Value {
    let text =
        json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]});
    json!([
        {"name": "echo", "description": "Says what it is told", "inputSchema": text, "annotations": {"readOnlyHint": true}},
        {"name": "write", "description": "Keeps what it is told", "inputSchema": text},
        {"name": "scopes", "description": "Says what the caller may", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}},
    ])
}
