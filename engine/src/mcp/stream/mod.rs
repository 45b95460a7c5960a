//! Sessions whose answers all arrive on one stream: child processes, and HTTP+SSE.
//!
//! rmcp reads the stream through [`Reader`], which first gives the answers to requests for tools to their callers,
//! untouched.

mod reader;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

pub use reader::{Reader, Source, Unsendable};

use super::McpError;
use super::replies::Replies;
use super::rpc::{Answer, Outgoing, cancelled};
use super::sse::Outlet;

/// How many messages wait for a child that reads slowly.
pub const QUEUE: usize = 64;

/// The way to one server.
#[derive(Debug)]
pub struct Wire {
    label: String,
    outbox: Outbox,
    replies: Replies,
    ended: OnceLock<String>,
}

/// Where messages go.
#[derive(Debug)]
pub enum Outbox {
    /// To a child's standard input, by the task that owns it.
    Child(mpsc::Sender<Bytes>),
    /// To the endpoint that the stream named.
    Post(Outlet),
}

impl Wire {
    /// A way to the server behind this outbox.
    pub fn new(label: &str, outbox: Outbox) -> Arc<Self> {
        Arc::new(Self {
            label: label.to_owned(),
            outbox,
            replies: Replies::default(),
            ended: OnceLock::new(),
        })
    }

    /// Why the stream ended; `None` while it is open.
    pub fn ended(&self) -> Option<&str> {
        self.ended.get().map(String::as_str)
    }

    /// Sends a request, once, and gives its answer. Dropped before, it tells the server to cancel.
    pub async fn request(self: &Arc<Self>, outgoing: &Outgoing<'_>) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.replies.expect(outgoing.id, reply);
        let mut cancel = Cancel {
            wire: self,
            id: outgoing.id,
            pending: true,
        };
        let sent = self.send(outgoing.bytes.clone()).await;
        let outcome = match sent {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(self.closed())),
            Err(error) => Err(error),
        };
        cancel.pending = false;
        outcome
    }

    /// Sends a message.
    async fn send(&self, message: Bytes) -> Result<(), McpError> {
        if self.ended().is_some() {
            return Err(self.closed());
        }
        match &self.outbox {
            Outbox::Child(queue) => queue.send(message).await.map_err(|_| self.closed()),
            Outbox::Post(outlet) => outlet.post(message).await,
        }
    }

    /// The stream is over: nobody will answer what is still expected.
    fn end(&self, why: &str) {
        if self.ended.set(why.to_owned()).is_ok() {
            tracing::info!(server = self.label, why, "the session ended by itself");
        }
        self.replies.give_up();
    }

    /// The same, because we want it so.
    fn close(&self) {
        // It may have ended before, with a better reason.
        let _ = self.ended.set("it was closed".to_owned());
        self.replies.give_up();
    }

    fn closed(&self) -> McpError {
        McpError::Closed(self.ended().unwrap_or("the server hung up").to_owned())
    }

    fn cancel(self: &Arc<Self>, id: u64) {
        match &self.outbox {
            // A queue that is full belongs to a child that will not read this either.
            Outbox::Child(queue) => drop(queue.try_send(cancelled(id))),
            Outbox::Post(outlet) => outlet.post_aside(cancelled(id)),
        }
    }
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
            self.wire.cancel(self.id);
        }
    }
}
