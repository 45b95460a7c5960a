//! Requests through a connection's session, and what makes a second try safe.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::session::InUse;
use super::{failure, verdict};
use crate::assets::breaker::{Pass, Verdict};
use crate::assets::{AssetError, Connection, Directory, FailureReason, WeakDirectory};
use crate::catalog::Entry;
use crate::mcp::{McpError, Session, Target};

/// How long a stop waits for servers to take note of it.
const END_WITHIN: Duration = Duration::from_secs(1);

impl Directory {
    /// The connection's session, opened if there is none.
    pub(in crate::assets) async fn session(
        &self,
        connection: &Arc<Connection>,
        entry: &Entry,
    ) -> Result<InUse, McpError> {
        let open = || {
            let target = Target {
                endpoint: entry.endpoint.clone(),
                credentials: self.credential_source(connection),
                label: connection.alias.to_string(),
            };
            let (egress, limit) = (self.egress.clone(), self.config.limits.timeout);
            let watched = (self.downgrade(), Arc::downgrade(connection));
            async move {
                let session = Session::open(&egress, target, limit).await?;
                tokio::spawn(watch_tools(session.tools_changed(), watched.0, watched.1));
                Ok(session)
            }
        };
        let slot = &connection.traffic.slot;
        slot.session(&entry.endpoint, open).await
    }

    /// Asks the server, and reports to the breaker how that went. Asks once more only where the first time did not run:
    /// after a 401 with a renewed credential, and after a session that the server had forgotten.
    pub(in crate::assets) async fn ask<T, F>(
        &self,
        connection: &Arc<Connection>,
        entry: &Entry,
        pass: Pass,
        ask: impl Fn(Arc<Session>) -> F,
    ) -> Result<T, AssetError>
    where
        F: Future<Output = Result<T, McpError>>,
    {
        let (mut renewed, mut reopened) = (false, false);
        // What happens rarely is boxed: each call's future would have room for it, and is moved a few times.
        loop {
            let error = match self.session(connection, entry).await {
                Ok(used) => match ask(used.session).await {
                    Ok(answer) => {
                        self.report(connection, pass, Verdict::Alive);
                        return Ok(answer);
                    }
                    Err(error) => {
                        if matches!(error, McpError::SessionLost | McpError::Closed(_)) {
                            connection.traffic.slot.forget(used.number);
                        }
                        error
                    }
                },
                Err(error) => error,
            };
            if let Some(verdict) = verdict(&error) {
                self.report(connection, pass, verdict);
            }
            match error {
                McpError::Unauthorized { generation, .. } if !renewed => {
                    renewed = true;
                    Box::pin(self.renew(connection, generation)).await?;
                }
                McpError::SessionLost if !reopened => reopened = true,
                error => return Err(Box::pin(self.refused(connection, error)).await),
            }
        }
    }

    /// What the caller is told of a request that failed.
    async fn refused(&self, connection: &Arc<Connection>, error: McpError) -> AssetError {
        match &error {
            McpError::InsufficientScope { challenge } => {
                return self.scope_missing(connection, challenge).await;
            }
            McpError::RateLimited {
                retry_after: Some(pause),
            } => connection
                .traffic
                .gate
                .hold(FailureReason::RateLimited, *pause),
            McpError::Status {
                retry_after: Some(pause),
                ..
            } => connection
                .traffic
                .gate
                .hold(FailureReason::CircuitOpen, *pause),
            McpError::Unauthorized { .. } => return connection.ended(),
            _ => {}
        }
        let (reason, retry_after) = failure(&error);
        AssetError::ConnectionFailed {
            alias: connection.alias.to_string(),
            reason,
            retry_after,
            problem: error.to_string(),
        }
    }

    /// Ends all sessions politely. For the stop, when no call is under way any more.
    pub async fn end_sessions(&self) {
        let connections = self.connections();
        let open = connections
            .iter()
            .filter_map(|connection| connection.traffic.slot.take());
        let ending = join_all(open.map(Session::close));
        if timeout(END_WITHIN, ending).await.is_err() {
            tracing::debug!("some servers did not confirm the end of their session");
        }
    }

    /// Tells the breaker, and has somebody look for the server if that opened it.
    pub(in crate::assets) fn report(
        &self,
        connection: &Arc<Connection>,
        pass: Pass,
        verdict: Verdict,
    ) {
        if connection.traffic.gate.report(pass, verdict) {
            self.probe_until_back(connection);
        }
    }
}

/// Hears that the server's tools changed, as long as the session lives.
async fn watch_tools(
    mut changed: tokio::sync::watch::Receiver<u64>,
    directory: WeakDirectory,
    connection: Weak<Connection>,
) {
    while changed.changed().await.is_ok() {
        let (Some(directory), Some(connection)) = (directory.upgrade(), connection.upgrade())
        else {
            return;
        };
        directory.tools_have_changed(&connection).await;
    }
}
