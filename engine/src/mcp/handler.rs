//! What the engine answers when a server asks it something, and what it hears.

use rmcp::ClientHandler;
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use rmcp::service::{NotificationContext, RoleClient};
use tokio::sync::watch;

/// Declines whatever a server may ask a client for, as rmcp does by default: no capability is declared.
#[derive(Debug)]
pub struct Handler {
    tools_changed: watch::Sender<u64>,
}

impl Handler {
    /// Counts changes of the list of tools here.
    pub fn new(tools_changed: watch::Sender<u64>) -> Self {
        Self { tools_changed }
    }
}

/// How the engine introduces itself.
pub fn implementation() -> Implementation {
    Implementation::new("userengine", env!("CARGO_PKG_VERSION"))
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(ClientCapabilities::default(), implementation())
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.tools_changed.send_modify(|count| *count += 1);
    }
}
