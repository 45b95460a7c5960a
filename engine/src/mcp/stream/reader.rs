//! rmcp's side of such a session.

use std::sync::Arc;

use rmcp::RoleClient;
use rmcp::model::{ClientJsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::transport::Transport;

use super::Wire;
use crate::mcp::McpError;
use crate::mcp::first;
use crate::mcp::rpc::{Incoming, written};
use crate::mcp::trace;

/// Where messages come from.
pub trait Source: Send {
    /// The next message, or why there will be none. Can be dropped at any point and called again.
    fn next(&mut self) -> impl Future<Output = Result<Vec<u8>, String>> + Send;

    /// Lets go of it, politely first.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// Reads a stream for rmcp, and for those who wait beside it.
#[derive(Debug)]
pub struct Reader<S> {
    wire: Arc<Wire>,
    source: S,
    /// The first question, until it is answered.
    first: Option<RequestId>,
}

/// Why a message of rmcp's was not sent.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unsendable(pub McpError);

impl<S: Source> Reader<S> {
    /// Reads this source.
    pub fn new(wire: Arc<Wire>, source: S) -> Self {
        Self {
            wire,
            source,
            first: None,
        }
    }

    /// The message, if it is rmcp's to deal with.
    fn sort(&mut self, message: &[u8]) -> Option<ServerJsonRpcMessage> {
        let Ok(incoming) = Incoming::read(message) else {
            trace::received(&self.wire.label, "not JSON-RPC", message.len());
            return None;
        };
        let what = incoming.method().unwrap_or("answer");
        trace::received(&self.wire.label, what, message.len());
        let waiting = incoming
            .answered()
            .and_then(|id| self.wire.replies.take(id));
        if let Some(waiting) = waiting {
            // Whoever asked may have gone meanwhile.
            let _ = waiting.send(incoming.into_answer());
            return None;
        }
        let message = serde_json::from_slice(message).ok()?;
        let id = match &message {
            ServerJsonRpcMessage::Response(response) => Some(&response.id),
            _ => None,
        };
        if self.first.take_if(|first| Some(&*first) == id).is_some() {
            return Some(first::answer(message));
        }
        Some(message)
    }
}

impl<S: Source + 'static> Transport<RoleClient> for Reader<S> {
    type Error = Unsendable;

    fn send(
        &mut self,
        item: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Unsendable>> + Send + 'static {
        if let Some(id) = first::question(&item) {
            self.first = Some(id.clone());
        }
        let wire = self.wire.clone();
        async move {
            let message = written(&item).map_err(Unsendable)?;
            wire.send(message).await.map_err(Unsendable)
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            match self.source.next().await {
                Ok(message) => {
                    if let Some(message) = self.sort(&message) {
                        return Some(message);
                    }
                }
                Err(why) => {
                    self.wire.end(&why);
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Unsendable> {
        self.wire.close();
        self.source.close().await;
        Ok(())
    }
}

impl<S> Drop for Reader<S> {
    /// However rmcp lets go of it, nobody may wait for ever.
    fn drop(&mut self) {
        self.wire.close();
    }
}
