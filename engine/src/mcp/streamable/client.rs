//! What rmcp sends its own requests over.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorData, ServerJsonRpcMessage,
};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::Sse;

use super::{LAST_EVENT, SESSION, Spoken, VERSION, Wire};
use crate::egress::FetchError;
use crate::mcp::McpError;
use crate::mcp::carrier::{Reply, is_type, odd_type, refusal};
use crate::mcp::events::{Events, Next};
use crate::mcp::rpc::{ANSWER_MAX, written};
use crate::mcp::trace::Exchange;

/// Carries rmcp's own requests.
#[derive(Debug, Clone)]
pub struct Client(pub Arc<Wire>);

/// Why a request of rmcp's failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Failure(pub McpError);

type Error = StreamableHttpError<Failure>;

impl StreamableHttpClient for Client {
    type Error = Failure;

    async fn post_message(
        &self,
        _uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Error> {
        let in_session = session_id.is_some();
        let headers = headers(session_id, custom_headers)?;
        match self.0.post(&message, headers, in_session).await {
            Ok(response) => Ok(response),
            Err(McpError::SessionLost) if in_session => Err(Error::SessionExpired),
            Err(failure) => {
                self.0.note(&failure);
                legacy(&message, &failure).ok_or(Error::Client(Failure(failure)))
            }
        }
    }

    async fn delete_session(
        &self,
        _uri: Arc<str>,
        session_id: Arc<str>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Error> {
        let headers = headers(Some(session_id), custom_headers)?;
        let (wire, nothing) = (&self.0, bytes::Bytes::new());
        let sent = wire
            .carrier
            .carry(Method::DELETE, headers, nothing, wire.patience);
        let reply = sent.await.map_err(Failure).map_err(Error::Client)?;
        match reply.response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::METHOD_NOT_ALLOWED => Err(Error::ServerDoesNotSupportDeleteSession),
            _ => Err(Error::Client(Failure(
                refusal(&wire.carrier, reply, true).await,
            ))),
        }
    }

    async fn get_stream(
        &self,
        _uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Error> {
        let mut headers = headers(session_id, custom_headers)?;
        if let Some(value) = last_event_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
            headers.insert(LAST_EVENT, value);
        }
        let wire = &self.0;
        let sent = wire.carrier.open(headers, wire.patience).await;
        let reply = sent.map_err(Failure).map_err(Error::Client)?;
        if reply.response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Err(Error::ServerDoesNotSupportSse);
        }
        if !reply.response.status().is_success() {
            let failure = refusal(&wire.carrier, reply, true).await;
            return Err(Error::Client(Failure(failure)));
        }
        if is_type(&reply.response, "text/event-stream") {
            Ok(self.stream(reply))
        } else {
            Err(Error::Client(Failure(odd_type(&reply.response))))
        }
    }
}

impl Client {
    /// Events for rmcp. One that is too large is left out: rmcp would ask for it again, at once and for ever.
    fn stream(&self, reply: Reply) -> BoxStream<'static, Result<Sse, SseError>> {
        let events = Events::new(reply.response.into_body(), ANSWER_MAX);
        let wire = self.0.clone();
        futures::stream::unfold((events, wire), |(mut events, wire)| async move {
            loop {
                let item = match events.next().await? {
                    Ok(Next::Event(event)) => Ok(Sse {
                        event: (!event.kind.is_empty()).then_some(event.kind),
                        data: event.data,
                        id: event.id,
                        retry: event.retry,
                    }),
                    Ok(Next::TooLarge) => {
                        wire.note(&wire.carrier.too_large(ANSWER_MAX));
                        tracing::warn!(
                            server = wire.label,
                            limit = ANSWER_MAX,
                            "left out an event"
                        );
                        continue;
                    }
                    Err(error) => {
                        wire.note(&McpError::Fetch(error.clone()));
                        Err(SseError::Body(Box::new(error)))
                    }
                };
                return Some((item, (events, wire)));
            }
        })
        .boxed()
    }
}

impl Wire {
    async fn post(
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
        // A server that does not answer the first question may be one that does not know it: leave time for the other.
        let head = if is_discover(message) {
            self.patience / 2
        } else {
            self.patience
        };
        let answered = async {
            let reply = self.carrier.post(headers, bytes, head).await?;
            if !reply.response.status().is_success() {
                return Err(refusal(&self.carrier, reply, in_session).await);
            }
            self.read(message, reply).await
        };
        let outcome = answered.await;
        exchange.end(outcome.as_ref().map(|_| 0));
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
        let nothing = matches!(
            response.status(),
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT
        );
        if !asked || (nothing && !is_discover(message)) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        let session = response.headers().get(SESSION);
        let session = session.and_then(|id| id.to_str().ok()).map(str::to_owned);
        if is_type(response, "text/event-stream") {
            let stream = Client(self.clone()).stream(reply);
            return Ok(StreamableHttpPostResponse::Sse(stream, session));
        }
        if !is_type(response, "application/json") {
            return Err(odd_type(response));
        }
        let body = self.carrier.collect(reply.response, ANSWER_MAX);
        let late = FetchError::Timeout {
            host: self.carrier.host().to_owned(),
            after: self.patience,
        };
        let body = tokio::time::timeout(self.patience, body).await;
        let body = body.map_err(|_| McpError::Fetch(late))??;
        let message: ServerJsonRpcMessage = serde_json::from_slice(&body)
            .map_err(|_| McpError::Protocol("a message that is not JSON-RPC".to_owned()))?;
        Ok(StreamableHttpPostResponse::Json(message, session))
    }
}

fn headers(
    session_id: Option<Arc<str>>,
    custom_headers: HashMap<HeaderName, HeaderValue>,
) -> Result<HeaderMap, Error> {
    let mut headers: HeaderMap = custom_headers.into_iter().collect();
    if let Some(id) = session_id {
        let odd = |_| McpError::Protocol("a session id that HTTP cannot carry".to_owned());
        let id = HeaderValue::from_str(&id).map_err(odd);
        headers.insert(SESSION, id.map_err(Failure).map_err(Error::Client)?);
    }
    Ok(headers)
}

/// A server that refuses the first question of 2026-07-28 may be an older one: rmcp then begins with the handshake. The
/// specification names 4xx; old servers that trip over an unknown beginning answer 500, 202 or nothing as well.
fn legacy(
    message: &ClientJsonRpcMessage,
    failure: &McpError,
) -> Option<StreamableHttpPostResponse> {
    let ClientJsonRpcMessage::Request(request) = message else {
        return None;
    };
    let error = match failure {
        McpError::Rpc { code, message } => {
            let code = i32::try_from(*code).unwrap_or(-32600);
            ErrorData::new(rmcp::model::ErrorCode(code), message.clone(), None)
        }
        McpError::Status {
            status: 400 | 402 | 404..=501,
            ..
        }
        | McpError::Protocol(_)
        | McpError::Fetch(FetchError::Timeout { .. }) => {
            ErrorData::invalid_request("server/discover was refused", None)
        }
        _ => return None,
    };
    let answer = ServerJsonRpcMessage::error(error, Some(request.id.clone()));
    is_discover(message).then_some(StreamableHttpPostResponse::Json(answer, None))
}

fn is_discover(message: &ClientJsonRpcMessage) -> bool {
    matches!(message, ClientJsonRpcMessage::Request(request)
        if matches!(request.request, ClientRequest::DiscoverRequest(_)))
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
