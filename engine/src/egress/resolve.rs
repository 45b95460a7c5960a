//! From a name to addresses.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::net::lookup_host;

/// Addresses of a host, or why there are none.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Who is asked for the addresses of a host. The guard judges whatever it says.
pub trait Resolve: Debug + Send + Sync {
    /// The addresses of a host, which may be an address itself, with this port.
    fn resolve(&self, host: &str, port: u16) -> Resolving;
}

/// The resolver of the operating system, on threads of its own.
#[derive(Debug)]
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        let host = host.to_owned();
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }
}
