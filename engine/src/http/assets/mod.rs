//! Servers, connections and what belongs to them.

pub mod callback;
pub mod client_metadata;
pub mod connect;
pub mod connections;
pub mod servers;
