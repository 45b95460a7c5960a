//! What rmcp sends its own requests over.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::Sse;

use super::{LAST_EVENT, SESSION, Wire};
use crate::mcp::McpError;
use crate::mcp::carrier::{Reply, is_type, odd_type, refusal};
use crate::mcp::events::{Events, Next};
use crate::mcp::rpc::ANSWER_MAX;

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
                Err(Error::Client(Failure(failure)))
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
        let (wire, nothing) = (&self.0, Bytes::new());
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
        wire.pace.keep().await;
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
    pub(super) fn stream(&self, reply: Reply) -> BoxStream<'static, Result<Sse, SseError>> {
        let events = Events::new(reply.response.into_body(), ANSWER_MAX);
        let wire = self.0.clone();
        futures::stream::unfold((events, wire), |(mut events, wire)| async move {
            loop {
                let item = match events.next().await? {
                    Ok(Next::Event(event)) => Ok(Sse {
                        // Without its data: rmcp would not know what it answers, and the id still counts.
                        data: event.data.clone().filter(|_| !wire.settle(&event)),
                        event: (!event.kind.is_empty()).then_some(event.kind),
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
