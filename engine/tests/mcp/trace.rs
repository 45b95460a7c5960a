//! What the log shows of all this at its loudest.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt;
use userengine_engine::catalog::Endpoint;
use userengine_engine::telemetry;

use super::arguments;
use crate::support::mcp::{
    McpServer, SOON, credential, event, events, handshake, modern, open, status,
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Takes what this thread logs, at TRACE.
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || log.clone());
        let registry = tracing_subscriber::registry().with(telemetry::filter(Level::TRACE));
        tracing::subscriber::set_default(registry.with(layer))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Everything is said with this in it: credential, arguments, results, errors, headers.
const CANARY: &str = "telltale";

#[tokio::test]
async fn the_trace_names_what_was_said_and_repeats_none_of_it() {
    let log = Log::default();
    let _guard = log.begin();
    let servers = [
        McpServer::start(|seen| match seen.rpc() {
            "tools/call" => {
                seen.result(&json!({ "content": [], "echo": seen.header("authorization") }))
            }
            "GET" => events(event(&json!({
                "jsonrpc": "2.0", "method": "notifications/message",
                "params": { "level": "info", "data": seen.header("authorization") },
            }))),
            _ => handshake(&seen),
        })
        .await,
        McpServer::start(|seen| match seen.rpc() {
            "tools/call" => seen.error(200, 1, seen.header("authorization")),
            "tools/list" => status(401, [("www-authenticate", "Bearer error=\"telltale\"")]),
            _ => modern(&seen),
        })
        .await,
        McpServer::start(|seen| seen.error(500, 1, seen.header("authorization"))).await,
        McpServer::start(|_| events("data: {\"telltale\":1}\n\ntelltale\n\n")).await,
    ];
    for server in &servers {
        let token = credential("Authorization", &format!("Bearer {CANARY}"));
        let endpoint = Endpoint::StreamableHttp(server.url.clone());
        let Ok(session) = open(endpoint, Some(token)).await else {
            continue;
        };
        let _ = session.list_tools(SOON).await;
        let _ = session
            .call_tool("echo", &arguments(json!({ "a": CANARY })), SOON)
            .await;
        session.close().await;
    }
    let text = log.text();
    assert!(!text.contains(CANARY), "{text}");
    for expected in [
        "tools/call",
        "initialize",
        "server/discover",
        "a-server",
        "received",
        "ms",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[tokio::test]
async fn what_a_child_says_is_logged_without_its_credential() {
    let log = Log::default();
    let _guard = log.begin();
    let endpoint = Endpoint::Stdio {
        program: "sh".to_owned(),
        args: [
            "-c",
            "echo \"my key is $API_KEY!\" >&2; echo \"$API_KEY\"; read -r line; exit 1",
        ]
        .map(str::to_owned)
        .to_vec(),
        env: std::collections::BTreeMap::new(),
    };
    let secret = credential("API_KEY", CANARY);
    open(endpoint, Some(secret)).await.unwrap_err();
    let said = async {
        while !log.text().contains("my key is [redacted]!") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, said).await.unwrap();
    assert!(!log.text().contains(CANARY), "{}", log.text());
}
