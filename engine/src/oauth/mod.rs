//! OAuth as a client of MCP servers: the protocol, and nothing of connections, the brain or the API.
//!
//! The order of a connect: [`Challenge::parse`], [`discover`], [`choose_client`] (and [`register`]), [`authorize`], then
//! in the callback [`check_iss`] and [`exchange`]; later [`refresh`] and [`revoke`]. Each function takes what it needs and
//! gives what has to be kept; none keeps anything itself.
//!
//! Sources: the MCP authorization specification of 2026-07-28
//! (<https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization>), RFC 6749, 7009, 7591, 7636, 8414, 8707,
//! 9207 and 9728. Why no library does it: `docs/decisions/2026-11-21-oauth-client-of-our-own.md`.

mod answer;
mod authorize;
mod challenge;
mod client;
mod client_metadata;
mod discovery;
mod error;
mod provider;
mod registration;
mod revoke;
mod token;
mod words;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use authorize::{Authorization, authorize};
pub use challenge::Challenge;
pub use client::{Client, ClientChoice, choose_client};
pub use client_metadata::{
    ClientMetadata, callback_url, client_metadata_document, client_metadata_url,
    offered_client_metadata,
};
pub use discovery::discover;
pub use error::OauthError;
pub use provider::{Provider, check_iss};
pub use registration::register;
pub use revoke::revoke;
pub use token::{TokenSet, exchange, refresh};

use crate::egress::Wait;

/// The name that people read on a consent page.
const CLIENT_NAME: &str = "UserEngine";

/// For metadata documents.
const METADATA: Wait = Wait {
    head: HEAD,
    total: TOTAL,
    body: 256 * 1024,
};
/// For the endpoints that registrations, codes and tokens are sent to.
const ANSWER: Wait = Wait {
    head: HEAD,
    total: TOTAL,
    body: 64 * 1024,
};
const HEAD: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_secs(15);
