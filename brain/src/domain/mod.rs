//! Types of the engine's own words. Names no framework.

mod connection;
mod database_id;
mod dns_label;
mod key_hash;
mod scopes;
mod server;

pub use connection::{ConnectionId, ConnectionIdError, ConnectionStatus};
pub use database_id::{DatabaseId, DatabaseIdError};
pub use dns_label::{DnsLabel, DnsLabelError};
pub use key_hash::{KeyHash, KeyHashes, KeyHashesError, KeyMatch};
pub use scopes::Scopes;
pub use server::{AuthMethod, NAME_MAX, ServerName, ServerNameError, ToolClass, Transport};
