//! Both listeners of a process, and the life of the internal one.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use userengine_api::layout::env;
use userengine_api::refusal::{Refusal, RefusalReason};

use crate::config::HttpConfig;
use crate::serve::{Drained, serve};

/// How long probes that are being answered may hold up the end.
const GRACE_OF_PROBES: Duration = Duration::from_secs(1);

/// Both listeners, bound.
#[derive(Debug)]
pub struct Listeners {
    /// For callers of the API.
    pub api: TcpListener,
    /// For the operator and monitoring.
    pub internal: TcpListener,
}

impl Listeners {
    /// Takes both addresses.
    pub async fn bind(config: &HttpConfig) -> Result<Self, Refusal> {
        Ok(Self {
            api: bind(env::LISTEN_ADDR, config.listen).await?,
            internal: bind(env::INTERNAL_ADDR, config.internal).await?,
        })
    }
}

/// Takes one address.
pub async fn bind(variable: &str, address: SocketAddr) -> Result<TcpListener, Refusal> {
    TcpListener::bind(address).await.map_err(|error| {
        Refusal::new(
            RefusalReason::ConfigInvalid,
            format!("{variable}: failed to listen on {address}: {error}"),
        )
    })
}

/// The address that a listener really has: with port 0 the system chose it.
pub fn address(listener: &TcpListener) -> SocketAddr {
    listener
        .local_addr()
        .unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)))
}

/// The internal listener: first up, last down.
#[derive(Debug)]
pub struct Probes {
    /// Where it listens.
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Drained>,
}

impl Probes {
    /// Begins to answer.
    pub fn start(listener: TcpListener, router: Router) -> Self {
        let address = address(&listener);
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // An error means that the sender is gone, which is a stop, too.
            let _ = stopped.await;
        };
        let task = tokio::spawn(serve(listener, router, stopped, GRACE_OF_PROBES));
        Self {
            address,
            stop,
            task,
        }
    }

    /// Ends it.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the internal listener ended early");
        }
    }
}
