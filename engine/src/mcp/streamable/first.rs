//! The first question over streamable HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use rmcp::model::{RequestId, ServerJsonRpcMessage};

use super::Wire;
use crate::egress::FetchError;
use crate::mcp::McpError;
use crate::mcp::carrier::{Reply, is_type, refusal};
use crate::mcp::events::{Events, Next};
use crate::mcp::first;
use crate::mcp::rpc::ANSWER_MAX;

impl Wire {
    /// Asks `server/discover`. Whatever an older server makes of it becomes the answer that tells rmcp so: the
    /// specification names 4xx, and some trip over it with 500, 202, a page or silence.
    pub(super) async fn ask_first(
        &self,
        id: &RequestId,
        headers: HeaderMap,
        message: Bytes,
    ) -> Result<ServerJsonRpcMessage, McpError> {
        // Half of the time: the handshake needs some, too.
        let half = self.patience / 2;
        let asked = tokio::time::timeout(half, self.first_answer(id, headers, message, half));
        match asked.await.unwrap_or_else(|_| Err(self.late())) {
            Ok(answer) => Ok(first::answer(answer)),
            Err(
                McpError::Protocol(_)
                | McpError::Fetch(FetchError::Timeout { .. })
                | McpError::Status {
                    status: 500 | 501, ..
                },
            ) => Ok(first::refused(id)),
            Err(error) => Err(error),
        }
    }

    async fn first_answer(
        &self,
        id: &RequestId,
        headers: HeaderMap,
        message: Bytes,
        limit: Duration,
    ) -> Result<ServerJsonRpcMessage, McpError> {
        let reply = self.carrier.post(headers, message, limit).await?;
        let status = reply.response.status();
        if status.is_success() && is_type(&reply.response, "text/event-stream") {
            return first_event(reply).await;
        }
        if status.is_success() {
            return self.only_message(reply).await;
        }
        if !is_about_the_question(status) {
            return Err(refusal(&self.carrier, reply, false).await);
        }
        // Its own error, data included, and the id that a server at the door does not know.
        match self.only_message(reply).await {
            Ok(ServerJsonRpcMessage::Error(answer)) => {
                Ok(ServerJsonRpcMessage::error(answer.error, Some(id.clone())))
            }
            _ => Ok(first::refused(id)),
        }
    }
}

/// Neither about the caller nor about the moment.
fn is_about_the_question(status: StatusCode) -> bool {
    status.is_client_error() && ![401, 403, 408, 429].contains(&status.as_u16())
}

async fn first_event(reply: Reply) -> Result<ServerJsonRpcMessage, McpError> {
    let mut events = Events::new(reply.response.into_body(), ANSWER_MAX);
    while let Some(next) = events.next().await {
        let Next::Event(event) = next? else { continue };
        let message = event.message().map(serde_json::from_str);
        if let Some(Ok(
            message @ (ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)),
        )) = message
        {
            return Ok(message);
        }
    }
    Err(McpError::Protocol("a stream without an answer".to_owned()))
}
