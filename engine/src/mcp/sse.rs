//! HTTP+SSE, the transport of the revision 2024-11-05
//! (<https://modelcontextprotocol.io/specification/2024-11-05/basic/transports>). rmcp has no client for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use url::Url;

use super::carrier::{Carrier, is_type, odd_type, refusal};
use super::events::{Events, Next};
use super::rpc::ANSWER_MAX;
use super::stream::{Outbox, Reader, Source, Wire};
use super::{McpError, Target};
use crate::egress::Egress;

/// How long a message that nobody waits for may take.
const ASIDE: Duration = Duration::from_secs(5);

/// Opens the stream and waits until it has named the endpoint for messages.
pub async fn open(
    egress: &Egress,
    target: &Target,
    url: &Url,
    patience: Duration,
) -> Result<(Arc<Wire>, Reader<Stream>), McpError> {
    let carrier = Carrier::new(egress, &target.credentials, url)?;
    let reply = carrier.open(HeaderMap::new(), patience).await?;
    if !reply.response.status().is_success() {
        return Err(refusal(&carrier, reply, false).await);
    }
    if !is_type(&reply.response, "text/event-stream") {
        return Err(odd_type(&reply.response));
    }
    let mut events = Events::new(reply.response.into_body(), ANSWER_MAX);
    let endpoint = endpoint(&mut events, url).await?;
    let outlet = Outlet {
        carrier: Arc::new(Carrier::new(egress, &target.credentials, &endpoint)?),
        patience,
    };
    let wire = Wire::new(&target.label, Outbox::Post(outlet));
    let reader = Reader::new(wire.clone(), Stream(Some(events)));
    Ok((wire, reader))
}

/// The first event names it. It must be where the stream is: the credential goes there.
pub(super) async fn endpoint(events: &mut Events, url: &Url) -> Result<Url, McpError> {
    loop {
        let event = match events.next().await {
            Some(Ok(Next::Event(event))) => event,
            Some(Ok(Next::TooLarge)) => continue,
            Some(Err(error)) => return Err(error.into()),
            None => return Err(broken("the stream ended before it named its endpoint")),
        };
        if event.kind != "endpoint" {
            continue;
        }
        let named = event.data.unwrap_or_default();
        let endpoint = url.join(named.trim()).ok();
        return endpoint
            .filter(|endpoint| endpoint.origin() == url.origin())
            .ok_or_else(|| broken("the endpoint that the stream named is of another origin"));
    }
}

fn broken(why: &str) -> McpError {
    McpError::Protocol(why.to_owned())
}

/// Where messages are posted.
#[derive(Debug, Clone)]
pub struct Outlet {
    carrier: Arc<Carrier>,
    patience: Duration,
}

impl Outlet {
    /// Posts a message; the answer comes on the stream.
    pub async fn post(&self, message: Bytes) -> Result<(), McpError> {
        let sent = self.carrier.post(HeaderMap::new(), message, self.patience);
        let reply = sent.await?;
        if !reply.response.status().is_success() {
            return Err(refusal(&self.carrier, reply, true).await);
        }
        // Read to its end, so that the connection can be used again.
        self.carrier.collect(reply.response, ANSWER_MAX).await?;
        Ok(())
    }

    /// Posts a message that nobody waits for.
    pub fn post_aside(&self, message: Bytes) {
        // Outside a runtime there is no connection either.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let outlet = self.clone();
        runtime.spawn(async move {
            // The server may be gone, which is as good.
            let _ = tokio::time::timeout(ASIDE, outlet.post(message)).await;
        });
    }
}

/// The stream of answers.
#[derive(Debug)]
pub struct Stream(Option<Events>);

impl Source for Stream {
    async fn next(&mut self) -> Result<Vec<u8>, String> {
        let Some(events) = &mut self.0 else {
            return Err("it was closed".to_owned());
        };
        loop {
            match events.next().await {
                Some(Ok(Next::Event(event))) => {
                    if let Some(message) = event.message().map(str::len).and(event.data) {
                        return Ok(message.into_bytes());
                    }
                }
                Some(Ok(Next::TooLarge)) => {
                    return Err(format!("an event of more than {ANSWER_MAX} bytes"));
                }
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("the server ended the stream".to_owned()),
            }
        }
    }

    async fn close(&mut self) {
        self.0 = None;
    }
}
