//! The way to a server, whichever transport it is.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::rpc::{Answer, Outgoing};
use super::{McpError, stream, streamable};

/// The way to one server.
#[derive(Debug, Clone)]
pub enum Wire {
    /// Each request has an answer of its own.
    Streamable(Arc<streamable::Wire>),
    /// All answers arrive on one stream.
    Stream(Arc<stream::Wire>),
}

impl Wire {
    /// Sends a request, once, and gives its answer. Dropped before, it tells the server to cancel.
    pub async fn request(
        &self,
        outgoing: &Outgoing<'_>,
        mirrored: Vec<(HeaderName, HeaderValue)>,
        limit: Duration,
    ) -> Answer {
        match self {
            Self::Streamable(wire) => wire.request(outgoing, mirrored, limit).await,
            Self::Stream(wire) => wire.request(outgoing).await,
        }
    }

    /// Has the session ended by itself?
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Streamable(wire) => wire.is_lost(),
            Self::Stream(wire) => wire.ended().is_some(),
        }
    }

    /// Why rmcp says that the session is closed.
    pub fn why_closed(&self) -> McpError {
        let unknown = || McpError::Protocol("it does not speak MCP".to_owned());
        match self {
            Self::Streamable(wire) => wire.last_failure().unwrap_or_else(unknown),
            Self::Stream(wire) => match wire.ended() {
                Some(why) => McpError::Closed(why.to_owned()),
                None => unknown(),
            },
        }
    }
}
