//! How a session begins: 2026-07-28 first, the handshake of the older revisions otherwise
//! (<https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning>).

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientInitializeError, RoleClient, RunningService};
use rmcp::transport::Transport;
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig, StreamableHttpError,
};
use rmcp::{ClientLifecycleMode, ClientServiceExt};
use tokio::sync::watch;

use super::handler::Handler;
use super::rpc::words;
use super::stream::Unsendable;
use super::streamable::{Client, Failure};
use super::wire::Wire;
use super::{McpError, Target, sse, stdio, streamable};
use crate::catalog::Endpoint;
use crate::egress::Egress;

/// rmcp's side of a session.
pub type Service = RunningService<RoleClient, Handler>;

/// Reaches the server and agrees on a revision with it.
pub async fn open(
    egress: &Egress,
    target: &Target,
    patience: Duration,
    tools_changed: watch::Sender<u64>,
) -> Result<(Wire, Service), McpError> {
    let handler = Handler::new(tools_changed.clone());
    match &target.endpoint {
        Endpoint::StreamableHttp(url) => {
            let wire = streamable::Wire::new(egress, target, url, patience, tools_changed)?;
            let transport = StreamableHttpClientTransport::with_client(
                Client(wire.clone()),
                streamable_config(url.as_str()),
            );
            let wire = Wire::Streamable(wire);
            agree(handler, transport, wire).await
        }
        Endpoint::Sse(url) => {
            let (wire, reader) = sse::open(egress, target, url, patience).await?;
            agree(handler, reader, Wire::Stream(wire)).await
        }
        Endpoint::Stdio { program, args, env } => {
            let (wire, reader) = stdio::open(target, program, args, env)?;
            agree(handler, reader, Wire::Stream(wire)).await
        }
    }
}

fn streamable_config(url: &str) -> StreamableHttpClientTransportConfig {
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    // Of the stream of notices. A call that finds the session gone opens another one, and its stream.
    let mut pauses = ExponentialBackoff::default();
    pauses.max_times = Some(10);
    pauses.max_delay = Some(Duration::from_mins(1));
    config.retry_config = Arc::new(pauses);
    config
}

async fn agree<T>(handler: Handler, transport: T, wire: Wire) -> Result<(Wire, Service), McpError>
where
    T: Transport<RoleClient> + 'static,
{
    let lifecycle = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
    };
    match handler.serve_with_lifecycle(transport, lifecycle).await {
        Ok(service) => Ok((wire, service)),
        Err(error) => Err(failed(error, &wire)),
    }
}

/// rmcp wraps our own errors, and keeps some to itself.
fn failed(error: ClientInitializeError, wire: &Wire) -> McpError {
    match error {
        ClientInitializeError::TransportError { error, .. } => {
            ours(error.error.as_ref()).unwrap_or_else(|| wire.why_closed())
        }
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => failed(*fallback, wire),
        ClientInitializeError::JsonRpcError(error) => McpError::Rpc {
            code: error.code.0.into(),
            message: words(&error.message),
        },
        ClientInitializeError::NoCompatibleProtocolVersion {
            server_supported, ..
        } => {
            let versions: Vec<_> = server_supported.iter().map(ToString::to_string).collect();
            let versions = words(&versions.join(", "));
            McpError::Protocol(format!("it speaks none of our revisions: {versions}"))
        }
        ClientInitializeError::ConnectionClosed(_) => wire.why_closed(),
        ClientInitializeError::ConflictInitResponseId(..)
        | ClientInitializeError::UncorrelatedErrorResponse { .. } => {
            McpError::Protocol("the answer to another request".to_owned())
        }
        _ => McpError::Protocol("it does not begin a session".to_owned()),
    }
}

/// Finds our own error inside of rmcp's.
pub fn ours(error: &(dyn std::error::Error + 'static)) -> Option<McpError> {
    if let Some(StreamableHttpError::Client(Failure(error))) =
        error.downcast_ref::<StreamableHttpError<Failure>>()
    {
        return Some(error.clone());
    }
    if let Some(StreamableHttpError::SessionExpired) =
        error.downcast_ref::<StreamableHttpError<Failure>>()
    {
        return Some(McpError::SessionLost);
    }
    error
        .downcast_ref::<Unsendable>()
        .map(|Unsendable(error)| error.clone())
}
