//! The engine's own trace of MCP traffic, at DEBUG: what was said by its name and size, never what it said.

use std::time::Duration;

use super::McpError;
use crate::clock::{Stopwatch, milliseconds};

/// One exchange, from its request to its answer.
#[derive(Debug)]
pub struct Exchange<'a> {
    label: &'a str,
    method: &'a str,
    id: Option<u64>,
    sent: usize,
    watch: Stopwatch,
}

impl<'a> Exchange<'a> {
    /// Begins with a request of `sent` bytes.
    pub fn begin(label: &'a str, method: &'a str, id: Option<u64>, sent: usize) -> Self {
        let watch = Stopwatch::start();
        Self {
            label,
            method,
            id,
            sent,
            watch,
        }
    }

    /// Ends with an answer, of so many bytes if they were counted, or with an error.
    pub fn end(&self, received: Result<Option<usize>, &McpError>) {
        let ms = |watch: Stopwatch| milliseconds(watch.elapsed());
        let (server, method, id, sent) = (self.label, self.method, self.id, self.sent);
        match received {
            Ok(received) => {
                tracing::debug!(
                    server,
                    method,
                    id,
                    sent,
                    received,
                    ms = ms(self.watch),
                    "mcp"
                );
            }
            Err(error) => {
                let failed = kind(error);
                tracing::debug!(server, method, id, sent, failed, ms = ms(self.watch), "mcp");
            }
        }
    }
}

/// A message that is no answer to a request.
pub fn received(label: &str, method: &str, size: usize) {
    tracing::debug!(server = label, method, received = size, "mcp");
}

/// A pause before something is tried again.
pub fn waited(label: &str, what: &str, pause: Duration) {
    let pause_ms = milliseconds(pause);
    tracing::debug!(server = label, what, pause_ms, "mcp");
}

/// The kind of an error: its text may repeat the server's words.
fn kind(error: &McpError) -> &'static str {
    match error {
        McpError::Unauthorized { .. } => "unauthorized",
        McpError::InsufficientScope { .. } => "insufficient_scope",
        McpError::RateLimited { .. } => "rate_limited",
        McpError::Fetch(_) => "fetch",
        McpError::Status { .. } => "status",
        McpError::Protocol(_) => "protocol",
        McpError::InputRequired(_) => "input_required",
        McpError::Credential(_) => "credential",
        McpError::RequestTooLarge { .. } => "request_too_large",
        McpError::Rpc { .. } => "rpc",
        McpError::SessionLost => "session_lost",
        McpError::Closed(_) => "closed",
    }
}
