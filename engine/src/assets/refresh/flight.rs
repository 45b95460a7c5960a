//! One refresh at a time for each connection, however many wait for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::attempt;
use crate::assets::{AssetError, Connection, Directory, FailureReason};
use crate::oauth::OauthError;

/// How a refresh ended, or where it stands.
#[derive(Debug, Clone)]
pub(in crate::assets) enum Outcome {
    /// The connection has a credential that is newer than the one that was refused.
    Fresh,
    /// The credential ended.
    Ended,
    /// The connection was removed.
    Gone,
    /// It may work later.
    Failed(Failure),
    /// The provider gave new tokens, and the brain cannot store them yet. The engine keeps trying.
    Unsaved(&'static str),
}

/// Why a refresh may work later.
#[derive(Debug, Clone)]
pub(in crate::assets) struct Failure {
    pub(super) reason: FailureReason,
    pub(super) problem: String,
    /// How long the provider asked to wait; once the next try is planned, the time until it.
    pub(super) asked: Option<Duration>,
}

/// The refresh that is under way. Its channel is closed when it has ended.
#[derive(Debug, Default)]
pub(in crate::assets) struct Flight(Mutex<Option<watch::Receiver<Option<Outcome>>>>);

impl Flight {
    /// Is a refresh under way?
    pub(in crate::assets) fn is_open(&self) -> bool {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().is_some_and(under_way)
    }
}

fn under_way(progress: &watch::Receiver<Option<Outcome>>) -> bool {
    progress.has_changed().is_ok()
}

impl Directory {
    /// Sees to it that a connection has another credential than the one of generation `refused`, which the server did not
    /// take. However many ask, one refresh is made. It goes on when the caller goes away: between the provider's answer
    /// and the commit no token may be dropped.
    pub(in crate::assets) async fn refresh(
        &self,
        connection: &Arc<Connection>,
        refused: u64,
    ) -> Outcome {
        let mut progress = match self.board(connection, refused, Cause::Refusal) {
            Boarding::Over(outcome) => return outcome,
            Boarding::Flight(progress) => progress,
        };
        match progress.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Outcome::Gone),
            Err(_) => Outcome::Failed(Failure {
                reason: FailureReason::Unreachable,
                problem: "the refresh ended without an answer".to_owned(),
                asked: None,
            }),
        }
    }

    /// Begins a refresh in the background, due or not. `false` if it may not begin yet.
    pub fn begin_refresh(&self, connection: &Arc<Connection>) -> bool {
        let generation = connection.state().generation;
        let boarding = self.board(connection, generation, Cause::Schedule);
        matches!(boarding, Boarding::Flight(_))
    }

    fn board(&self, connection: &Arc<Connection>, refused: u64, cause: Cause) -> Boarding {
        let mut slot = connection
            .flight
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = slot.as_ref().filter(|progress| under_way(progress)) {
            return Boarding::Flight(progress.clone());
        }
        // Only now: a flight publishes its state before it ends.
        if connection.state().generation != refused {
            return Boarding::Over(Outcome::Fresh);
        }
        if let Some(outcome) = self.must_wait(connection) {
            return Boarding::Over(outcome);
        }
        if cause == Cause::Refusal && connection.refusals.check().is_err() {
            return Boarding::Over(Outcome::Failed(Failure {
                reason: FailureReason::Protocol,
                problem: "the server keeps refusing tokens that the provider has just issued"
                    .to_owned(),
                asked: Some(Duration::from_secs(30)),
            }));
        }
        let (sender, progress) = watch::channel(None);
        *slot = Some(progress.clone());
        let (directory, connection) = (self.clone(), connection.clone());
        self.tasks().spawn(async move {
            let outcome = attempt::run(&directory, &connection, &sender).await;
            sender.send_replace(Some(directory.plan_next(&connection, outcome)));
        });
        Boarding::Flight(progress)
    }

    /// How the last one failed, as long as it is too early for another.
    fn must_wait(&self, connection: &Connection) -> Option<Outcome> {
        let schedule = connection.schedule();
        let left = schedule
            .not_before
            .checked_sub(self.clock.since_start())
            .filter(|left| !left.is_zero())?;
        let mut outcome = schedule.failure.clone()?;
        if let Outcome::Failed(failure) = &mut outcome {
            failure.asked = Some(left);
        }
        Some(outcome)
    }
}

/// Why a refresh is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The server did not take the token.
    Refusal,
    /// The token ends soon.
    Schedule,
}

enum Boarding {
    Over(Outcome),
    Flight(watch::Receiver<Option<Outcome>>),
}

impl Outcome {
    /// For the metric.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Fresh => "ok",
            Self::Ended => "ended",
            Self::Gone => "gone",
            Self::Failed(_) => "failed",
            Self::Unsaved(_) => "unsaved",
        }
    }

    /// What a caller is told.
    pub(in crate::assets) fn into_result(self, connection: &Connection) -> Result<(), AssetError> {
        let failed = |reason, problem, retry_after| AssetError::ConnectionFailed {
            alias: connection.alias.to_string(),
            reason,
            retry_after,
            problem,
        };
        match self {
            Self::Fresh => Ok(()),
            Self::Ended => Err(connection.ended()),
            Self::Gone => Err(failed(
                FailureReason::NotConnected,
                "it was disconnected".to_owned(),
                None,
            )),
            Self::Failed(failure) => Err(failed(
                failure.reason,
                format!(
                    "the access token could not be refreshed: {}",
                    failure.problem
                ),
                failure.asked,
            )),
            Self::Unsaved(trouble) => Err(AssetError::StorageFailed(trouble)),
        }
    }
}

impl From<&OauthError> for Failure {
    fn from(error: &OauthError) -> Self {
        Self {
            reason: error.into(),
            problem: error.to_string(),
            asked: error.retry_after(),
        }
    }
}

impl Connection {
    /// The error of a call whose credential ended.
    pub(in crate::assets) fn ended(&self) -> AssetError {
        AssetError::TokenExpired {
            alias: self.alias.to_string(),
            ref_id: self.id.to_string(),
        }
    }
}
