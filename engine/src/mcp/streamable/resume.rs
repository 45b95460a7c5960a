//! Taking a broken stream up again, on the revisions that can
//! (<https://modelcontextprotocol.io/specification/2025-11-25/basic/transports>, resumability).

use std::time::Duration;

use http::{HeaderValue, StatusCode};

use super::{LAST_EVENT, Spoken, Wire};
use crate::mcp::McpError;
use crate::mcp::carrier::is_type;
use crate::mcp::events::{Event, Events};
use crate::mcp::rpc::ANSWER_MAX;
use crate::mcp::trace;

/// The shortest and the longest pause before a stream is taken up again, whatever the server says.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_mins(1);

/// Where a stream ended, and how long the server wants to be left alone.
#[derive(Debug)]
pub struct Resume {
    last_event: Option<HeaderValue>,
    pause: Duration,
}

impl Default for Resume {
    fn default() -> Self {
        Self {
            last_event: None,
            pause: Duration::from_secs(1),
        }
    }
}

impl Resume {
    /// Notes an event's id and its wish.
    pub fn note(&mut self, event: &Event) {
        if let Some(id) = &event.id {
            self.last_event = HeaderValue::from_str(id).ok();
        }
        if let Some(retry) = event.retry {
            self.pause = Duration::from_millis(retry).clamp(SHORTEST, LONGEST);
        }
    }
}

impl Wire {
    /// The rest of a stream; `None` if the server cannot give it. The caller's own limit ends the trying.
    pub(super) async fn resumed(&self, spoken: &Spoken, resume: &mut Resume) -> Option<Events> {
        if spoken.modern {
            return None;
        }
        let last_event = resume.last_event.clone()?;
        let mut pause = resume.pause;
        loop {
            trace::waited(&self.label, "a stream broke", pause);
            tokio::time::sleep(pause).await;
            let mut headers = spoken.headers();
            headers.insert(LAST_EVENT, last_event.clone());
            match self.carrier.open(headers, self.patience).await {
                Ok(reply) if reply.response.status() == StatusCode::OK => {
                    let is_stream = is_type(&reply.response, "text/event-stream");
                    let body = reply.response.into_body();
                    return is_stream.then(|| Events::new(body, ANSWER_MAX));
                }
                Ok(reply) if reply.response.status().is_server_error() => {}
                Err(McpError::Fetch(_)) => {}
                Ok(_) | Err(_) => return None,
            }
            pause = (pause * 2).min(LONGEST);
        }
    }
}
