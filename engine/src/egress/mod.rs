//! The way out: every request that the engine makes goes through here, and nothing but here opens a connection.
//!
//! A URL that a server or a client can influence must not reach the platform's own network. The literal is checked
//! before each hop and the connected address after resolution; there are no proxies from the environment.

mod allow;
mod client;
mod connect;
mod deadline;
mod error;
mod fetch;
mod guard;
mod lane;
mod ranges;
mod resolve;
#[cfg(test)]
mod tests;
mod tls;

pub use allow::Allowed;
pub use client::{Body, Egress, Profile, Wait};
pub use error::FetchError;
pub use guard::Target;
pub use resolve::{Resolve, Resolving};

/// Is this an address for special purposes, which nobody reaches over the public internet?
pub fn is_special(address: std::net::IpAddr) -> bool {
    ranges::special(address).is_some()
}
