//! One connection, as the process knows it.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;

use super::Traffic;
use super::limit::Limiter;
use super::refresh::{Flight, Schedule};
use super::scope::StepUp;
use crate::clock::Clock;
use crate::config::Limits;
use crate::domain::{ConnectionId, ConnectionStatus, ServerName};
use crate::store::{ConnectionIdentity, ConnectionState};

/// A connection to one server under one alias. What never changes is plain, the rest is a snapshot that is replaced
/// as a whole after the brain has it.
#[derive(Debug)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// The catalog's entry.
    pub server: ServerName,
    /// The prefix of its tools.
    pub alias: ServerName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Session, breaker and bulkhead.
    pub traffic: Traffic,
    state: RwLock<Arc<ConnectionState>>,
    /// Taken for each change of the state, from reading it to publishing it; never across a request to anybody.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// The refresh that is under way.
    pub(super) flight: Flight,
    /// How often a refused token may lead to a refresh.
    pub(super) refusals: Limiter,
    /// When it is refreshed next.
    pub(super) schedule: Mutex<Schedule>,
    /// Until when a person can finish an authorization.
    pub(super) pending_until: Mutex<Option<Timestamp>>,
    /// The authorization for more scopes that waits for a person.
    pub(super) step_up: Mutex<StepUp>,
    /// Taken while such an authorization is begun.
    pub(super) stepping_up: tokio::sync::Mutex<()>,
}

impl Connection {
    /// A connection in this state.
    pub fn new(
        identity: ConnectionIdentity,
        state: ConnectionState,
        limits: Limits,
        clock: Clock,
    ) -> Self {
        Self {
            id: identity.id,
            server: identity.server,
            alias: identity.alias,
            created_at: identity.created_at,
            traffic: Traffic::new(limits, clock.clone()),
            state: RwLock::new(Arc::new(state)),
            turn: tokio::sync::Mutex::default(),
            flight: Flight::default(),
            refusals: Limiter::refused_tokens(clock),
            schedule: Mutex::default(),
            pending_until: Mutex::default(),
            step_up: Mutex::default(),
            stepping_up: tokio::sync::Mutex::default(),
        }
    }

    /// The state now.
    pub fn state(&self) -> Arc<ConnectionState> {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts a state in force that the brain already has.
    pub(super) fn publish(&self, state: ConnectionState) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }

    /// The status for people: a connection that does not work is pending while somebody may be at the provider.
    pub fn shown_status(&self, now: Timestamp) -> ConnectionStatus {
        let status = self.state().status;
        match status {
            ConnectionStatus::Connected => status,
            _ if self.pending_until().is_some_and(|until| now < until) => {
                ConnectionStatus::PendingOauth
            }
            _ => status,
        }
    }

    /// Is a refresh under way?
    pub fn is_refreshing(&self) -> bool {
        self.flight.is_open()
    }

    pub(super) fn pending_until(&self) -> Option<Timestamp> {
        *self
            .pending_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_pending_until(&self, until: Option<Timestamp>) {
        *self
            .pending_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
    }
}
