//! Calls to a server without the engine, in the server's own JSON: what the engine must give on unchanged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use serde_json::{Value, json};

use super::process::DEADLINE;

/// A handshake revision: the one that these servers know.
const REVISION: &str = "2025-11-25";

/// A session with a server.
pub struct Direct {
    way: Way,
    next: u64,
}

enum Way {
    Http {
        url: String,
        session: Option<String>,
    },
    Stdio {
        child: Child,
        input: ChildStdin,
        output: Receiver<Value>,
    },
}

impl Direct {
    /// Over streamable HTTP, with curl.
    pub fn http(url: &str) -> Self {
        Self::open(Way::Http {
            url: url.to_owned(),
            session: None,
        })
    }

    /// Over a child's standard input and output.
    pub fn stdio(program: &Path, arguments: &[&Path]) -> Self {
        let mut command = Command::new(program);
        let piped = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = piped.stderr(Stdio::null()).spawn().unwrap();
        let (input, lines) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(lines).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(serde_json::from_str(&line).unwrap())));
        });
        Self::open(Way::Stdio {
            child,
            input,
            output,
        })
    }

    fn open(way: Way) -> Self {
        let mut direct = Self { way, next: 1 };
        let hello = json!({
            "protocolVersion": REVISION,
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "0" },
        });
        direct.request("initialize", &hello);
        direct.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        direct
    }

    /// The result of a tool.
    pub fn call(&mut self, name: &str, arguments: &Value) -> Value {
        self.request(
            "tools/call",
            &json!({ "name": name, "arguments": arguments }),
        )
    }

    /// The tools.
    pub fn tools(&mut self) -> Vec<Value> {
        let mut result = self.request("tools/list", &json!({}));
        serde_json::from_value(result["tools"].take()).unwrap()
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.next;
        self.next += 1;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut answers = self.send(&message);
        loop {
            // Between them are notifications, and requests of the server's.
            let answer = match (answers.is_empty(), &self.way) {
                (false, _) => answers.remove(0),
                (true, Way::Stdio { output, .. }) => output.recv_timeout(DEADLINE).unwrap(),
                (true, Way::Http { .. }) => panic!("no answer to {message}"),
            };
            if answer["id"] == id && answer.get("method").is_none() {
                assert!(answer["error"].is_null(), "{answer}");
                return answer["result"].clone();
            }
        }
    }

    /// Gives the messages that came back at once.
    fn send(&mut self, message: &Value) -> Vec<Value> {
        match &mut self.way {
            Way::Stdio { input, .. } => {
                writeln!(input, "{message}").unwrap();
                Vec::new()
            }
            Way::Http { url, session } => {
                let (head, messages) = curl(url, session.as_deref(), message);
                let named = |line: &str| Some(line.strip_prefix("mcp-session-id: ")?.to_owned());
                *session = session.take().or_else(|| head.lines().find_map(named));
                messages
            }
        }
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        if let Way::Stdio { child, .. } = &mut self.way {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn curl(url: &str, session: Option<&str>, message: &Value) -> (String, Vec<Value>) {
    let mut command = Command::new("curl");
    command.args([
        "-sS",
        "--max-time",
        &DEADLINE.as_secs().to_string(),
        "-D",
        "-",
        url,
    ]);
    command.args([
        "-H",
        "Content-Type: application/json",
        "-d",
        &message.to_string(),
    ]);
    command.args(["-H", "Accept: application/json, text/event-stream"]);
    if let Some(session) = session {
        command.args(["-H", &format!("Mcp-Session-Id: {session}")]);
        command.args(["-H", &format!("MCP-Protocol-Version: {REVISION}")]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
    // An event without data only tells where to resume.
    let events = events.filter(|json| !json.is_empty());
    let whole = body.starts_with('{').then_some(body);
    let messages = events
        .chain(whole)
        .map(|json| serde_json::from_str(json).unwrap());
    (head.to_ascii_lowercase(), messages.collect())
}
