//! Changes of a connection's state that several rooms need: its end, a failure, a new life.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use super::refresh::Outcome;
use super::{AuditKind, Connection, Directory, EventKind, Record};
use crate::domain::ConnectionStatus;
use crate::oauth;
use crate::store::{ConnectionState, StoreError};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Tries of what does not fail because of the volume, and so will not get better.
const MOST_TRIES: u32 = 5;
/// Tries after the engine was told to stop: about three seconds.
const MOST_TRIES_AT_STOP: u32 = 6;

impl Directory {
    /// Repeats a step until it works: what it stores cannot be had again. Gives up only where trying is pointless, or when
    /// the engine stops. `report` learns of each failure and how many there were.
    pub(super) async fn firmly<T, F>(
        &self,
        what: &'static str,
        report: impl Fn(u32, &StoreError) + Send,
        step: impl Fn() -> F + Send,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let (mut tries, mut tries_at_stop, mut pause) = (0, 0, FIRST_PAUSE);
        loop {
            let error = match step().await {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            tries += 1;
            tries_at_stop += u32::from(self.is_stopping());
            let pointless = error.trouble().is_none() && tries >= MOST_TRIES;
            if pointless || tries_at_stop >= MOST_TRIES_AT_STOP {
                tracing::error!(%error, what, tries, "gave up storing: the connection has to be made again");
                return None;
            }
            tracing::error!(%error, what, tries, "failed to store: trying again");
            report(tries, &error);
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// The credential of this generation no longer works, for good.
    pub(super) async fn end(
        &self,
        connection: &Arc<Connection>,
        generation: u64,
        status: ConnectionStatus,
        why: &str,
    ) -> Result<Outcome, StoreError> {
        let turn = connection.turn.lock().await;
        let mut state = (*connection.state()).clone();
        if state.generation != generation {
            return Ok(Outcome::Fresh);
        }
        state.status = status;
        state.generation += 1;
        // Nothing opens with it any more, so nothing of it is kept.
        state.credential = None;
        failed(&mut state, why, self.now());
        let mut writing = self.store.write().await?;
        if !writing.save_connection(&connection.id, &state).await? {
            return Ok(Outcome::Gone);
        }
        writing.end_refresh(&connection.id).await?;
        writing.commit().await?;
        connection.publish(state);
        drop(turn);
        connection.traffic.reset();
        self.tell_ended(connection, status, why);
        Ok(Outcome::Ended)
    }

    /// Something failed that may work later. A token that has ended meanwhile makes the connection `expired`; its refresh
    /// token is kept, and as soon as the provider takes it the connection is back.
    pub(super) async fn note_failure(&self, connection: &Arc<Connection>, why: &str) {
        let turn = connection.turn.lock().await;
        let mut state = (*connection.state()).clone();
        let now = self.now();
        let ended = state.status == ConnectionStatus::Connected
            && state.expires_at.is_some_and(|at| at <= now);
        if ended {
            state.status = ConnectionStatus::Expired;
        }
        failed(&mut state, why, now);
        let saved = async {
            let mut writing = self.store.write().await?;
            writing.save_connection(&connection.id, &state).await?;
            writing.commit().await
        };
        if let Err(error) = saved.await {
            tracing::warn!(%error, ref_id = %connection.id, "failed to store what went wrong");
            return;
        }
        connection.publish(state);
        drop(turn);
        if ended {
            self.tell_ended(connection, ConnectionStatus::Expired, why);
        }
    }

    /// An authorization came to nothing. The connection stays what it was.
    pub(super) async fn note_failed_authorization(&self, connection: &Arc<Connection>, why: &str) {
        tracing::warn!(
            ref_id = %connection.id, server = %connection.server, why, callback_url = %oauth::callback_url(&self.config),
            "an authorization failed"
        );
        let _turn = connection.turn.lock().await;
        let mut state = (*connection.state()).clone();
        failed(&mut state, why, self.now());
        let saved = async {
            let mut writing = self.store.write().await?;
            writing.save_connection(&connection.id, &state).await?;
            writing.commit().await
        };
        match saved.await {
            Ok(()) => connection.publish(state),
            Err(error) => tracing::warn!(%error, "failed to store why an authorization failed"),
        }
    }

    /// Tells everybody that a connection works.
    pub(super) fn tell_connected(&self, connection: &Arc<Connection>) {
        tracing::info!(ref_id = %connection.id, server = %connection.server, alias = %connection.alias, "connected");
        self.audit
            .record(Record::about(AuditKind::Connected, connection));
        self.events
            .connection(EventKind::ConnectionConnected, connection);
        self.count();
    }

    fn tell_ended(&self, connection: &Arc<Connection>, status: ConnectionStatus, why: &str) {
        let (audit, event) = if status == ConnectionStatus::Revoked {
            (AuditKind::Revoked, EventKind::ConnectionRevoked)
        } else {
            (AuditKind::Expired, EventKind::ConnectionExpired)
        };
        tracing::warn!(ref_id = %connection.id, server = %connection.server, status = status.as_str(), why, "a connection ended");
        self.audit.record(Record::about(audit, connection));
        self.events.connection(event, connection);
        self.count();
    }
}

/// Writes down what went wrong.
pub(super) fn failed(state: &mut ConnectionState, why: &str, now: Timestamp) {
    state.last_error = Some(why.to_owned());
    state.last_error_at = Some(now);
}
