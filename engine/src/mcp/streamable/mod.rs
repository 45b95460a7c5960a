//! Streamable HTTP, all revisions
//! (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http>).
//!
//! rmcp opens the session, keeps its stream of notices and closes it, over [`Client`]. Requests for tools go straight
//! from the caller's task to the connection and back ([`exchange`]): one hop, one copy, and the result untouched.

mod client;
mod exchange;
mod first;
mod pace;
mod post;
mod resume;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{Mutex, watch};
use url::Url;

pub use client::{Client, Failure};

use self::pace::Pace;
use super::carrier::Carrier;
use super::events::Event;
use super::replies::Replies;
use super::rpc::Incoming;
use super::{McpError, Target};
use crate::egress::Egress;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// How long a small message of ours may take that nobody waits for.
const ASIDE: Duration = Duration::from_secs(5);

/// The way to one server.
#[derive(Debug)]
pub struct Wire {
    carrier: Carrier,
    label: String,
    /// How long rmcp's own requests may take.
    patience: Duration,
    spoken: RwLock<Spoken>,
    pace: Pace,
    /// Who would take an answer that comes on the stream of notices.
    replies: Replies,
    renewal: Mutex<()>,
    lost: AtomicBool,
    last_failure: std::sync::Mutex<Option<McpError>>,
    tools_changed: watch::Sender<u64>,
}

/// What was agreed with the server.
#[derive(Debug, Clone, Default)]
pub struct Spoken {
    /// The session's id; none on 2026-07-28, and none if the server keeps none.
    pub session: Option<HeaderValue>,
    /// The revision; none before it was agreed.
    version: Option<HeaderValue>,
    /// No handshake: no session, no GET, and to cancel is to hang up.
    pub modern: bool,
}

impl Spoken {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(12);
        if let Some(session) = &self.session {
            headers.insert(SESSION, session.clone());
        }
        if let Some(version) = &self.version {
            headers.insert(VERSION, version.clone());
        }
        headers
    }

    fn established(&self) -> bool {
        self.session.is_some() || self.modern
    }
}

impl Wire {
    /// A way to this URL.
    pub fn new(
        egress: &Egress,
        target: &Target,
        url: &Url,
        patience: Duration,
        tools_changed: watch::Sender<u64>,
    ) -> Result<Arc<Self>, McpError> {
        Ok(Arc::new(Self {
            carrier: Carrier::new(egress, &target.credentials, url)?,
            label: target.label.clone(),
            patience,
            spoken: RwLock::default(),
            pace: Pace::default(),
            replies: Replies::default(),
            renewal: Mutex::default(),
            lost: AtomicBool::new(false),
            last_failure: std::sync::Mutex::default(),
            tools_changed,
        }))
    }

    /// What was agreed.
    pub fn spoken(&self) -> Spoken {
        let spoken = self.spoken.read().unwrap_or_else(PoisonError::into_inner);
        spoken.clone()
    }

    /// Notes what was agreed.
    fn agree(&self, spoken: Spoken) {
        *self.spoken.write().unwrap_or_else(PoisonError::into_inner) = spoken;
    }

    /// Notes that the server speaks a revision without handshake.
    pub fn agree_on_modern(&self, version: &str) {
        self.agree(Spoken {
            session: None,
            version: HeaderValue::from_str(version).ok(),
            modern: true,
        });
    }

    /// Lets one caller at a time renew the session.
    pub async fn renewal(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.renewal.lock().await
    }

    /// Notes that the session cannot be renewed.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Must another session be opened?
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// What last went wrong with a request of rmcp's, which does not always pass it on.
    pub fn last_failure(&self) -> Option<McpError> {
        let last = self.last_failure.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, failure: &McpError) {
        let mut last = self
            .last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(failure.clone());
    }

    /// Gives an answer that came on one of rmcp's streams to whoever waits for it. The specification wants it on the
    /// request's own stream, and the official clients take it from any, so servers send it there.
    fn settle(&self, event: &Event) -> bool {
        let message = event.message().map(str::as_bytes);
        let Some(Ok(incoming)) = message.map(Incoming::read) else {
            return false;
        };
        let Some(waiting) = incoming.answered().and_then(|id| self.replies.take(id)) else {
            return false;
        };
        // Whoever waited may be gone.
        let _ = waiting.send(incoming.into_answer());
        true
    }

    /// Sends a message that nobody waits for.
    fn send_aside(self: &Arc<Self>, message: Bytes) {
        // Outside a runtime there is no connection either.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let wire = self.clone();
        runtime.spawn(async move {
            let headers = wire.spoken().headers();
            let sent = wire.carrier.post(headers, message, ASIDE);
            // The answer does not matter, and the server may be gone.
            let _ = tokio::time::timeout(ASIDE, sent).await;
        });
    }
}
