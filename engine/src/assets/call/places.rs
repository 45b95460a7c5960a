//! How many calls are made at once, through one connection and through the engine.
//!
//! There is no queue: a call that finds no place is refused. Servers that hang keep their places until the time is up, so
//! a connection may not take the last ones: those are kept for the first calls of connections that have none under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::assets::Connection;
use crate::config::Limits;

/// Calls for which each connection finds a place, whatever the others do.
const OWN: usize = 2;

/// The places of an engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    taken: Mutex<usize>,
}

/// A call is under way. Dropped, it makes its place free.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    connection: Arc<Connection>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The connection has as many calls under way as it may.
    Connection,
    /// The engine has, or what is left is kept for other connections.
    Engine,
}

impl Places {
    pub(in crate::assets) fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner {
            limits,
            taken: Mutex::new(0),
        }))
    }

    /// Takes a place. `all` are the connections of the engine.
    pub(super) fn take(
        &self,
        connection: &Arc<Connection>,
        all: impl FnOnce() -> Vec<Arc<Connection>>,
    ) -> Result<Place, Full> {
        let mut taken = self.taken();
        let under_way = connection.traffic.under_way();
        if under_way >= self.0.limits.per_connection {
            return Err(Full::Connection);
        }
        let most = self.0.limits.per_engine;
        let free = most.saturating_sub(*taken);
        // Nobody else can be in want of a place while less than half of them are taken.
        let kept = if under_way < OWN || free > most / 2 {
            0
        } else {
            let others = all().into_iter().filter(|other| other.id != connection.id);
            let wanted = others.map(|other| OWN.saturating_sub(other.traffic.under_way()));
            wanted.sum::<usize>().min(most / 2)
        };
        if free <= kept {
            return Err(Full::Engine);
        }
        *taken += 1;
        connection.traffic.begin();
        Ok(Place {
            places: self.clone(),
            connection: connection.clone(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, usize> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        *taken = taken.saturating_sub(1);
        self.connection.traffic.end();
    }
}
