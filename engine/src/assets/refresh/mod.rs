//! Refresh: durable before use, one at a time, and never lost between the provider's answer and the commit.
//!
//! `flight` lets everybody wait for one refresh; `attempt` is that refresh, `fresh` what it gave and `refusal` why it gave
//! nothing; `schedule` says when.

mod attempt;
mod flight;
mod fresh;
mod refusal;
mod schedule;

use flight::Failure;
pub(super) use flight::{Flight, Outcome};
pub(super) use schedule::Schedule;

use std::sync::{Arc, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::credential::Document;
use super::{AssetError, Connection, Directory, FailureReason};
use crate::domain::{AuthMethod, ConnectionStatus};

impl Directory {
    /// What a call does after a 401 that was an answer to the credential of generation `refused`: `Ok` means that a newer
    /// one is there (or that a static one works after all), and the call may be sent once more.
    pub async fn renew(
        &self,
        connection: &Arc<Connection>,
        refused: u64,
    ) -> Result<(), AssetError> {
        let state = connection.state();
        match (state.auth_method, state.status) {
            (_, ConnectionStatus::PendingOauth) => Err(connection.never_connected()),
            (_, ConnectionStatus::Revoked) => Err(connection.ended()),
            (AuthMethod::Oauth, _) => {
                let outcome = self.refresh(connection, refused).await;
                outcome.into_result(connection)
            }
            (_, ConnectionStatus::Expired) => Err(connection.ended()),
            (AuthMethod::Static | AuthMethod::None, _) => self.verify_again(connection).await,
        }
    }

    /// May a call be made? What a call asks first. A token that has ended is refreshed before it is refused.
    pub async fn ready(&self, connection: &Arc<Connection>) -> Result<(), AssetError> {
        let state = connection.state();
        match state.status {
            ConnectionStatus::Connected => {
                let ended = state.expires_at.is_some_and(|at| at <= self.now());
                if !ended {
                    return Ok(());
                }
                // Boxed, as it is rare: each call's future would have room for it.
                Box::pin(self.renew(connection, state.generation)).await
            }
            // The provider was away for longer than the token lived: the refresh token may still work.
            ConnectionStatus::Expired if state.credential.is_some() => {
                let renewing = Box::pin(self.renew(connection, state.generation));
                renewing.await.map_err(|_| connection.ended())
            }
            ConnectionStatus::Expired | ConnectionStatus::Revoked => Err(connection.ended()),
            ConnectionStatus::PendingOauth => Err(connection.never_connected()),
        }
    }

    /// Plans what a state that was put in force asks for: the next refresh, or the end of a token without one.
    pub(super) fn plan(&self, connection: &Connection) {
        let planned = Schedule {
            refresh_at: self.refresh_at(connection),
            ..Schedule::default()
        };
        *connection.schedule() = planned;
        self.wake();
    }

    fn refresh_at(&self, connection: &Connection) -> Option<Timestamp> {
        let state = connection.state();
        let expires = state.expires_at?;
        let issued = state.refreshed_at.max(state.connected_at)?;
        let document = Document::open(&self.vault, &connection.id, state.credential.as_ref()?);
        match document.ok()? {
            Document::Oauth {
                refresh_token: Some(_),
                ..
            } => Some(schedule::refresh_at(issued, expires, chance())),
            Document::Oauth { .. } => Some(expires),
            Document::Static { .. } => None,
        }
    }

    /// Plans the next try after a refresh came to an end. Gives the outcome with the time until that try, for those who wait.
    fn plan_next(&self, connection: &Connection, mut outcome: Outcome) -> Outcome {
        self.metrics.refreshed(outcome.name());
        let asked = match &outcome {
            Outcome::Failed(failure) => failure.asked,
            Outcome::Unsaved(_) => None,
            Outcome::Fresh | Outcome::Ended | Outcome::Gone => {
                self.plan(connection);
                return outcome;
            }
        };
        let mut schedule = connection.schedule();
        schedule.failures = schedule.failures.saturating_add(1);
        let delay = schedule::delay(schedule.failures, asked, chance());
        if let Outcome::Failed(failure) = &mut outcome {
            failure.asked = Some(delay);
        }
        schedule.not_before = self.clock.since_start() + delay;
        schedule.refresh_at = Some(self.now() + delay);
        schedule.failure = Some(outcome.clone());
        drop(schedule);
        tracing::warn!(ref_id = %connection.id, again_in = ?delay, "failed to refresh a token");
        self.wake();
        outcome
    }
}

impl Connection {
    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error of a call through a connection that nobody has finished.
    pub(super) fn never_connected(&self) -> AssetError {
        AssetError::ConnectionFailed {
            alias: self.alias.to_string(),
            reason: FailureReason::NotConnected,
            retry_after: None,
            problem: "nobody has finished its authorization yet".to_owned(),
        }
    }
}

/// From 0 to 1. Without a random source everything happens at the same time, which is no reason to fail.
pub(super) fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}
