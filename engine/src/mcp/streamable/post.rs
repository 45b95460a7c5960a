//! One of rmcp's own messages, and its answer.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::StreamableHttpPostResponse;

use super::{Client, SESSION, Spoken, VERSION, Wire};
use crate::egress::FetchError;
use crate::mcp::McpError;
use crate::mcp::carrier::{Reply, is_type, odd_type, refusal};
use crate::mcp::first;
use crate::mcp::rpc::{ANSWER_MAX, written};
use crate::mcp::trace::Exchange;

impl Wire {
    /// Posts a message of rmcp's.
    pub(super) async fn post(
        self: &Arc<Self>,
        message: &ClientJsonRpcMessage,
        headers: HeaderMap,
        in_session: bool,
    ) -> Result<StreamableHttpPostResponse, McpError> {
        let bytes = written(message)?;
        let exchange = Exchange::begin(&self.label, method(message), None, bytes.len());
        let agreed = Spoken {
            session: headers.get(SESSION).cloned(),
            version: headers.get(VERSION).cloned(),
            modern: false,
        };
        let answered = async {
            if let Some(id) = first::question(message) {
                let answer = self.ask_first(id, headers, bytes).await?;
                return Ok(StreamableHttpPostResponse::Json(answer, None));
            }
            let reply = self.carrier.post(headers, bytes, self.patience).await?;
            if reply.response.status().is_success() {
                return self.read(message, reply).await;
            }
            Err(refusal(&self.carrier, reply, in_session).await)
        };
        let outcome = answered.await;
        exchange.end(outcome.as_ref().map(|_| None));
        let outcome = outcome?;
        if is_initialized(message) {
            self.agree(agreed);
        }
        Ok(outcome)
    }

    async fn read(
        self: &Arc<Self>,
        message: &ClientJsonRpcMessage,
        reply: Reply,
    ) -> Result<StreamableHttpPostResponse, McpError> {
        let response = &reply.response;
        let asked = matches!(message, ClientJsonRpcMessage::Request(_));
        let nothing = [StatusCode::ACCEPTED, StatusCode::NO_CONTENT].contains(&response.status());
        if !asked || nothing {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        let session = response.headers().get(SESSION);
        let session = session.and_then(|id| id.to_str().ok()).map(str::to_owned);
        if is_type(response, "text/event-stream") {
            let stream = Client(self.clone()).stream(reply);
            return Ok(StreamableHttpPostResponse::Sse(stream, session));
        }
        let message = self.only_message(reply).await?;
        Ok(StreamableHttpPostResponse::Json(message, session))
    }

    /// The message that is the whole answer.
    pub(super) async fn only_message(
        &self,
        reply: Reply,
    ) -> Result<ServerJsonRpcMessage, McpError> {
        if !is_type(&reply.response, "application/json") {
            return Err(odd_type(&reply.response));
        }
        let body = self.carrier.collect(reply.response, ANSWER_MAX);
        let body = tokio::time::timeout(self.patience, body).await;
        let body = body.map_err(|_| self.late())??;
        serde_json::from_slice(&body)
            .map_err(|_| McpError::Protocol("a message that is not JSON-RPC".to_owned()))
    }

    /// The server took too long.
    pub(super) fn late(&self) -> McpError {
        FetchError::Timeout {
            host: self.carrier.host().to_owned(),
            after: self.patience,
        }
        .into()
    }
}

fn is_initialized(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, ClientJsonRpcMessage::Notification(notification)
        if matches!(notification.notification, ClientNotification::InitializedNotification(_)))
}

fn method(message: &ClientJsonRpcMessage) -> &str {
    match message {
        ClientJsonRpcMessage::Request(request) => request.request.method(),
        ClientJsonRpcMessage::Notification(notification) => match notification.notification {
            ClientNotification::InitializedNotification(_) => "notifications/initialized",
            ClientNotification::CancelledNotification(_) => "notifications/cancelled",
            _ => "notification",
        },
        _ => "answer",
    }
}
