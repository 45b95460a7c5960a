//! A session with a server.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderValue;
use rmcp::model::{ClientCapabilities, ClientRequest, PingRequest, RequestMetaObject};
use rmcp::service::ServiceError;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::handler::implementation;
use super::listen::Listener;
use super::open::{Service, open, ours};
use super::result::{Declined, Outcome};
use super::rpc::{Answer, Ids, Outgoing, words};
use super::tools::{LIST_MAX, ListParams, Listing, Mirrored, PAGES_MAX, Page, ToolDefinition};
use super::trace::Exchange;
use super::wire::Wire;
use super::{McpError, Target, ToolResult, streamable};
use crate::egress::{Egress, FetchError};

/// `HeaderMismatch` of 2026-07-28: the server has other marks than we know of.
const HEADER_MISMATCH: i64 = -32020;
/// How often a server may ask back within one call, and how much longer each pause is if it only wants time.
const ROUNDS: u32 = 10;
const ROUND_PAUSE: Duration = Duration::from_millis(50);

/// A session with a server. Dropping it ends it.
#[derive(Debug)]
pub struct Session {
    // Dropped first: it uses the service.
    listener: Option<Listener>,
    service: Service,
    wire: Wire,
    label: String,
    host: String,
    /// `_meta` of each request on 2026-07-28.
    meta: Option<Box<RawValue>>,
    ids: Ids,
    mirrored: RwLock<Mirrored>,
    tools_changed: watch::Receiver<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallParams<'a> {
    name: &'a str,
    arguments: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_responses: Option<BTreeMap<String, Declined>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_state: Option<String>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct NoParams<'a> {
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a RawValue>,
}

impl Session {
    /// Opens a session: 2026-07-28 first, the handshake revisions otherwise. Takes at most `limit`.
    pub async fn open(egress: &Egress, target: Target, limit: Duration) -> Result<Self, McpError> {
        let (changed, tools_changed) = watch::channel(0);
        let host = host(&target);
        // rmcp's futures are large, and this one is awaited rarely.
        let opening = Box::pin(open(egress, &target, limit, changed.clone()));
        let (wire, service) = within(limit, &host, opening).await?;
        let mut session = Self {
            listener: None,
            service,
            wire,
            label: target.label,
            host,
            meta: None,
            ids: Ids::default(),
            mirrored: RwLock::default(),
            tools_changed,
        };
        session.settle(changed);
        Ok(session)
    }

    /// What follows from the revision that was agreed on.
    fn settle(&mut self, changed: watch::Sender<u64>) {
        let Some(info) = self.service.peer_info() else {
            return;
        };
        let version = &info.protocol_version;
        tracing::debug!(server = self.label, %version, "session opened");
        if version.has_initialize() {
            return;
        }
        if let Wire::Streamable(wire) = &self.wire {
            wire.agree_on_modern(version.as_str());
        }
        let capabilities = ClientCapabilities::default();
        let meta =
            RequestMetaObject::with_client_context(version.clone(), implementation(), capabilities);
        self.meta = serde_json::value::to_raw_value(&meta).ok();
        let tools = info.capabilities.tools.as_ref();
        if tools.is_some_and(|tools| tools.list_changed == Some(true)) {
            let peer = self.service.peer().clone();
            self.listener = Some(Listener::start(peer, self.label.clone(), changed));
        }
    }

    /// All tools, pages followed. Definitions beyond the bounds are left out and named in the log.
    pub async fn list_tools(&self, limit: Duration) -> Result<Vec<ToolDefinition>, McpError> {
        within(limit, &self.host, self.list(limit)).await
    }

    async fn list(&self, limit: Duration) -> Result<Vec<ToolDefinition>, McpError> {
        let (mut listing, mut cursor) = (Listing::default(), None::<String>);
        let (mut pages, mut size) = (0, 0);
        loop {
            let params = ListParams {
                cursor: cursor.as_deref(),
                meta: self.meta.as_deref(),
            };
            let result = self
                .request("tools/list", None, &params, None, limit)
                .await?;
            pages += 1;
            size += result.get().len();
            if size > LIST_MAX {
                let host = self.host.clone();
                let limit = LIST_MAX;
                return Err(FetchError::TooLarge { host, limit }.into());
            }
            let page = Page::read(&result)?;
            for definition in page.tools {
                listing.add(definition, self.meta.is_some());
            }
            let more = page.next_cursor.is_some();
            if more && (listing.is_full() || pages == PAGES_MAX || page.next_cursor == cursor) {
                listing.add_unread();
                break;
            }
            cursor = page.next_cursor;
            if !more {
                break;
            }
        }
        let (tools, mirrored) = listing.finish(&self.label);
        *self
            .mirrored
            .write()
            .unwrap_or_else(PoisonError::into_inner) = mirrored;
        Ok(tools)
    }

    /// Calls a tool, once: whatever happens to the call, it is not sent again if it may have run. A server that asks the
    /// person something is told no, and goes on with the call as it sees fit. Dropping the future cancels.
    pub async fn call_tool(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        limit: Duration,
    ) -> Result<ToolResult, McpError> {
        within(limit, &self.host, self.call(name, arguments, limit)).await
    }

    async fn call(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        limit: Duration,
    ) -> Result<ToolResult, McpError> {
        let mut params = CallParams {
            name,
            arguments,
            input_responses: None,
            request_state: None,
            meta: self.meta.as_deref(),
        };
        let mut what = String::new();
        for round in 0..ROUNDS {
            let asked = match Outcome::read(self.ask(&params, limit).await?)? {
                Outcome::Done(result) => return Ok(result),
                Outcome::Asked(asked) => asked,
            };
            what = asked.what;
            let Some(declined) = asked.declined else {
                break;
            };
            if declined.is_empty() {
                // It only wants to be asked again: a little later each time.
                tokio::time::sleep(ROUND_PAUSE * round).await;
            }
            params.input_responses = (!declined.is_empty()).then_some(declined);
            params.request_state = asked.state;
        }
        Err(McpError::InputRequired(what))
    }

    /// One round of a call.
    async fn ask(&self, params: &CallParams<'_>, limit: Duration) -> Answer {
        let (name, arguments) = (Some(params.name), Some(params.arguments));
        let answer = self.request("tools/call", name, params, arguments, limit);
        let answer = answer.await;
        let mismatch =
            matches!(&answer, Err(McpError::Rpc { code, .. }) if *code == HEADER_MISMATCH);
        if mismatch && self.learned_marks(limit).await {
            return self
                .request("tools/call", name, params, arguments, limit)
                .await;
        }
        answer
    }

    /// A server that misses headers has looked no further. The list tells which it wants.
    async fn learned_marks(&self, limit: Duration) -> bool {
        let listed = self.meta.is_some() && Box::pin(self.list(limit)).await.is_ok();
        let mirrored = self.mirrored.read().unwrap_or_else(PoisonError::into_inner);
        listed && !mirrored.is_empty()
    }

    /// Is the server there? The cheapest request of its revision.
    pub async fn probe(&self, limit: Duration) -> Result<(), McpError> {
        let method = match self.meta {
            Some(_) => "server/discover",
            None => "ping",
        };
        let params = NoParams {
            meta: self.meta.as_deref(),
        };
        let asked = self.request(method, None, &params, None, limit);
        within(limit, &self.host, asked).await.map(|_| ())
    }

    async fn request(
        &self,
        method: &'static str,
        name: Option<&str>,
        params: &impl Serialize,
        arguments: Option<&Map<String, Value>>,
        limit: Duration,
    ) -> Answer {
        let outgoing = Outgoing::new(self.ids.next(), method, name, params)?;
        let exchange =
            Exchange::begin(&self.label, method, Some(outgoing.id), outgoing.bytes.len());
        let known_as = match &self.wire {
            Wire::Streamable(wire) => wire.spoken().session,
            Wire::Stream(_) => None,
        };
        let mut answer = self.send(&outgoing, arguments, limit).await;
        if let (Err(McpError::SessionLost), Wire::Streamable(wire)) = (&answer, &self.wire) {
            // The server did not know the session, so the request did not run: it may be sent again, once.
            answer = match Box::pin(self.renew(wire, known_as)).await {
                Ok(()) => self.send(&outgoing, arguments, limit).await,
                Err(error) if error.never_ran() => Err(error),
                Err(_) => Err(McpError::SessionLost),
            };
            if matches!(answer, Err(McpError::SessionLost)) {
                wire.lose();
            }
        }
        exchange.end(answer.as_ref().map(|result| Some(result.get().len())));
        answer
    }

    async fn send(
        &self,
        outgoing: &Outgoing<'_>,
        arguments: Option<&Map<String, Value>>,
        limit: Duration,
    ) -> Answer {
        let mirrored = match (outgoing.name, arguments) {
            (Some(name), Some(arguments)) => {
                let mirrored = self.mirrored.read().unwrap_or_else(PoisonError::into_inner);
                mirrored.headers(name, arguments)
            }
            _ => Vec::new(),
        };
        self.wire.request(outgoing, mirrored, limit).await
    }

    /// Has rmcp begin the session anew, which it does when a request of its own finds it gone.
    async fn renew(
        &self,
        wire: &streamable::Wire,
        known_as: Option<HeaderValue>,
    ) -> Result<(), McpError> {
        if known_as.is_none() {
            return Err(McpError::SessionLost);
        }
        let _one_at_a_time = wire.renewal().await;
        if wire.spoken().session != known_as {
            return Ok(());
        }
        let ping = ClientRequest::PingRequest(PingRequest::default());
        match self.service.peer().send_request(ping).await {
            Err(ServiceError::TransportSend(error)) => {
                Err(ours(error.error.as_ref()).unwrap_or(McpError::SessionLost))
            }
            _ if wire.spoken().session == known_as => Err(McpError::SessionLost),
            _ => Ok(()),
        }
    }

    /// Counts the notices that the list of tools changed.
    pub fn tools_changed(&self) -> watch::Receiver<u64> {
        self.tools_changed.clone()
    }

    /// Has it ended by itself?
    pub fn is_closed(&self) -> bool {
        self.wire.is_closed()
    }

    /// Ends it politely: DELETE, or a closed standard input.
    pub fn close(self) -> BoxFuture<'static, ()> {
        drop(self.listener);
        let service = self.service;
        Box::pin(async move {
            if let Err(error) = service.cancel().await {
                tracing::warn!(error = words(&error.to_string()), "a session ended badly");
            }
        })
    }
}

/// Whom errors name.
fn host(target: &Target) -> String {
    let url = target.endpoint.url();
    let host = url.and_then(url::Url::host_str);
    host.unwrap_or(&target.label).to_owned()
}

async fn within<T>(
    limit: Duration,
    host: &str,
    work: impl Future<Output = Result<T, McpError>>,
) -> Result<T, McpError> {
    let late = || FetchError::Timeout {
        host: host.to_owned(),
        after: limit,
    };
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(late().into()),
    }
}
