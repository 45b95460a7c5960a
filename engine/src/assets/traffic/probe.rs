//! Looks for a server whose breaker is open, in the background, until it is back.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::verdict;
use crate::assets::breaker::Verdict;
use crate::assets::{Connection, Directory, WeakDirectory};
use crate::mcp::McpError;

/// A probe that takes longer has failed.
const LONGEST_PROBE: Duration = Duration::from_secs(10);

impl Directory {
    /// Probes until the breaker of this connection is closed. Called once each time it opens.
    pub(in crate::assets) fn probe_until_back(&self, connection: &Arc<Connection>) {
        tracing::warn!(
            ref_id = %connection.id, alias = %connection.alias,
            "the breaker opened: calls are refused until the server answers a probe"
        );
        let probing = probe(self.downgrade(), Arc::downgrade(connection));
        let prober = tokio::spawn(probing);
        connection.traffic.gate.set_prober(prober.abort_handle());
    }

    async fn probe_once(&self, connection: &Arc<Connection>) -> Verdict {
        let limit = self.config.limits.timeout.min(LONGEST_PROBE);
        let answer = timeout(limit, async {
            let entry = self.entry(connection).map_err(|_| gone())?;
            let used = self.session(connection, &entry).await?;
            match used.session.probe(limit).await {
                Err(McpError::SessionLost | McpError::Closed(_)) => {
                    connection.traffic.slot.forget(used.number);
                    let used = self.session(connection, &entry).await?;
                    used.session.probe(limit).await
                }
                answer => answer,
            }
        });
        match answer.await {
            Ok(Ok(())) => Verdict::Alive,
            // What says nothing of the server (a credential that does not open) must not keep calls from saying so.
            Ok(Err(error)) => verdict(&error).unwrap_or(Verdict::Alive),
            Err(_) => {
                // The attempt to open a session may hang longer than a probe may.
                connection.traffic.slot.clear();
                Verdict::Unwell
            }
        }
    }
}

fn gone() -> McpError {
    McpError::Credential("the catalog no longer has the server".to_owned())
}

/// Holds nothing while it waits: an engine that is gone and a connection that was removed are not probed for.
async fn probe(directory: WeakDirectory, connection: Weak<Connection>) {
    let next = || connection.upgrade()?.traffic.gate.next_probe();
    while let Some(wait) = next() {
        sleep(wait).await;
        let (Some(directory), Some(connection)) = (directory.upgrade(), connection.upgrade())
        else {
            return;
        };
        let gate = &connection.traffic.gate;
        let Some(probe) = gate.begin_probe() else {
            continue;
        };
        let verdict = directory.probe_once(&connection).await;
        if gate.probed(probe, verdict) {
            tracing::info!(ref_id = %connection.id, alias = %connection.alias, "the breaker closed: the server is back");
        } else {
            tracing::debug!(ref_id = %connection.id, ?verdict, "a probe failed");
        }
    }
}
