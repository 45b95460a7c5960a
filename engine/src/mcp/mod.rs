//! MCP as a client: sessions with servers over three transports. The only place that names rmcp.
//!
//! rmcp agrees on a revision, keeps the session and hears notices. What goes to and from tools passes beside it:
//! [`rpc`] says why. [`Session`] is the door; [`streamable`] and [`stream`] are the ways to a server.

#[cfg(test)]
mod arbitrary;
mod carrier;
mod error;
mod events;
mod first;
mod handler;
mod listen;
mod open;
mod replies;
mod result;
mod room;
mod rpc;
mod session;
mod sse;
mod stdio;
mod stream;
mod streamable;
mod tools;
mod trace;
mod wire;

use std::sync::Arc;

use secrecy::SecretString;

pub use error::McpError;
pub use result::ToolResult;
pub use session::Session;
pub use tools::ToolDefinition;

use crate::catalog::Endpoint;

/// What a request to the server carries so that the server knows who calls.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Header and value for HTTP, variable and value for a child.
    pub name: String,
    /// The whole value, `Bearer …` included.
    pub value: SecretString,
    /// Which version of the connection's credential this is.
    pub generation: u64,
}

/// Opens the credential for one request. Called before each request that leaves; the result is dropped after it.
pub trait CredentialSource: Send + Sync + std::fmt::Debug {
    /// The credential now; `None` if the server asks for none.
    fn credential(&self) -> Result<Option<Credential>, String>;
}

/// What a session is opened with.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// Who calls. A child gets it once, when it starts.
    pub credentials: Arc<dyn CredentialSource>,
    /// For the log.
    pub label: String,
}
