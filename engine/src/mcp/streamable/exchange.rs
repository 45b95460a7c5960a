//! One request and its answer.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::oneshot;

use super::resume::Resume;
use super::{METHOD, NAME, Spoken, Wire};
use crate::egress::Body;
use crate::mcp::McpError;
use crate::mcp::carrier::{is_type, odd_type, refusal};
use crate::mcp::events::{Events, Next};
use crate::mcp::rpc::{ANSWER_MAX, Answer, Incoming, Outgoing, cancelled, declined};
use crate::mcp::tools::header_value;

/// How long the end of a stream is waited for after its answer, so that its connection can be used again.
const DRAIN: Duration = Duration::from_millis(50);

impl Wire {
    /// Sends a request, once, and gives its answer. Dropped before, it tells the server to cancel.
    pub async fn request(
        self: &Arc<Self>,
        outgoing: &Outgoing<'_>,
        mirrored: Vec<(HeaderName, HeaderValue)>,
        limit: Duration,
    ) -> Answer {
        let spoken = self.spoken();
        if spoken.modern {
            // Its stream is the only one, and to hang up is to cancel.
            return self.exchange(&spoken, outgoing, mirrored, limit).await;
        }
        let mut cancel = Cancel {
            wire: self,
            id: outgoing.id,
            pending: true,
        };
        let (reply, elsewhere) = oneshot::channel();
        self.replies.expect(outgoing.id, reply);
        let answer = tokio::select! {
            biased;
            answer = self.exchange(&spoken, outgoing, mirrored, limit) => answer,
            Ok(answer) = elsewhere => answer,
        };
        cancel.pending = false;
        answer
    }

    async fn exchange(
        self: &Arc<Self>,
        spoken: &Spoken,
        outgoing: &Outgoing<'_>,
        mirrored: Vec<(HeaderName, HeaderValue)>,
        limit: Duration,
    ) -> Answer {
        let headers = headers(spoken, outgoing, mirrored);
        let message = outgoing.bytes.clone();
        let reply = self.carrier.post(headers, message, limit).await?;
        let response = &reply.response;
        if !response.status().is_success() {
            return Err(refusal(&self.carrier, reply, spoken.established()).await);
        }
        if is_type(response, "text/event-stream") {
            let events = Events::new(reply.response.into_body(), ANSWER_MAX);
            return self.follow(spoken, events, outgoing.id).await;
        }
        if response.status() == StatusCode::ACCEPTED || !is_type(response, "application/json") {
            return Err(odd_type(response));
        }
        let body = self.carrier.collect(reply.response, ANSWER_MAX).await?;
        let incoming = Incoming::read(&body)?;
        if incoming.answered() == Some(outgoing.id) || incoming.is_error_without_id() {
            return incoming.into_answer();
        }
        Err(McpError::Protocol(
            "the answer to another request".to_owned(),
        ))
    }

    /// Reads events until the answer. A stream that breaks is taken up again where it ended, if the server numbers
    /// its events; the request itself is never sent again.
    async fn follow(self: &Arc<Self>, spoken: &Spoken, mut events: Events, id: u64) -> Answer {
        let mut resume = Resume::default();
        loop {
            let problem = match events.next().await {
                Some(Ok(Next::Event(event))) => {
                    resume.note(&event);
                    let message = event.message().map(str::as_bytes);
                    if let Some(answer) = message.and_then(|message| self.sort(message, id)) {
                        drain(events.into_body());
                        return answer;
                    }
                    continue;
                }
                Some(Ok(Next::TooLarge)) => return Err(self.carrier.too_large(ANSWER_MAX)),
                Some(Err(error)) => McpError::from(error),
                None => self.carrier.broken("the stream ended before the answer"),
            };
            match self.resumed(spoken, &mut resume).await {
                Some(resumed) => events = resumed,
                None => return Err(problem),
            }
        }
    }

    /// The answer, if this is it. Everything else that a server may say meanwhile is dealt with here.
    fn sort(self: &Arc<Self>, message: &[u8], id: u64) -> Option<Answer> {
        let incoming = match Incoming::read(message) {
            Ok(incoming) => incoming,
            Err(error) => return Some(Err(error)),
        };
        if incoming.answered() == Some(id) || incoming.is_error_without_id() {
            return Some(incoming.into_answer());
        }
        if incoming.method() == Some("notifications/tools/list_changed") {
            self.tools_changed.send_modify(|count| *count += 1);
        }
        if let Some(answer) = declined(&incoming) {
            self.send_aside(answer);
        }
        None
    }
}

fn headers(
    spoken: &Spoken,
    outgoing: &Outgoing<'_>,
    mirrored: Vec<(HeaderName, HeaderValue)>,
) -> HeaderMap {
    let mut headers = spoken.headers();
    if spoken.modern {
        headers.insert(METHOD, HeaderValue::from_static(outgoing.method));
        if let Some(name) = outgoing.name {
            headers.insert(NAME, header_value(name));
        }
        headers.extend(mirrored);
    }
    headers
}

/// Forgets a request, and tells the server if it still works on it.
#[derive(Debug)]
struct Cancel<'a> {
    wire: &'a Arc<Wire>,
    id: u64,
    pending: bool,
}

impl Drop for Cancel<'_> {
    fn drop(&mut self) {
        self.wire.replies.forget(self.id);
        if self.pending {
            self.wire.send_aside(cancelled(self.id));
        }
    }
}

/// Reads what is left of a stream after its answer, in the background if it is not there yet.
fn drain(mut body: Body) {
    if let Some(None) = body.frame().now_or_never() {
        return;
    }
    tokio::spawn(tokio::time::timeout(DRAIN, async move {
        while let Some(Ok(_)) = body.frame().await {}
    }));
}
