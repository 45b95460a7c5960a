//! What the engine tells whoever listens on `GET /events`.
//!
//! The last events are kept, each with a number. A listener has a place in them and reads on from there, so a slow one
//! holds nobody up: what it missed is counted and told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Connection;

/// Events that are kept for listeners that come back or lag.
const KEPT: usize = 256;
/// Listeners at once.
pub const LISTENERS: usize = 16;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A connection works, or works again.
    ConnectionConnected,
    /// A connection's credential ended.
    ConnectionExpired,
    /// The provider took a connection's grant back.
    ConnectionRevoked,
    /// A connection was removed.
    ConnectionDisconnected,
    /// Another catalog is in force.
    CatalogChanged,
    /// The tools of a connection are others.
    ToolsChanged,
}

impl EventKind {
    /// The name in the stream.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionConnected => "connection_connected",
            Self::ConnectionExpired => "connection_expired",
            Self::ConnectionRevoked => "connection_revoked",
            Self::ConnectionDisconnected => "connection_disconnected",
            Self::CatalogChanged => "catalog_changed",
            Self::ToolsChanged => "tools_changed",
        }
    }
}

/// An event as listeners get it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number in this life of the engine, from 1.
    pub number: u64,
    /// What happened.
    pub kind: EventKind,
    /// About what. JSON, nothing secret.
    pub data: Value,
}

/// Takes events and hands them out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Tells the lives of an engine apart: numbers begin again with each.
    life: u64,
    kept: Mutex<VecDeque<Arc<Event>>>,
    /// The newest number; `None` once the engine stops.
    newest: watch::Sender<Option<u64>>,
    places: Arc<Semaphore>,
}

/// What a listener gets next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// An event.
    Event(Arc<Event>),
    /// So many events are gone (`None` = nobody knows how many); the listener should look at everything anew.
    Lagged(Option<u64>),
    /// The engine stops.
    End,
}

impl Events {
    /// No events yet, in this life of the engine (its brain's count of openings).
    pub fn new(life: u64) -> Self {
        Self(Arc::new(Inner {
            life,
            kept: Mutex::default(),
            newest: watch::Sender::new(Some(0)),
            places: Arc::new(Semaphore::new(LISTENERS)),
        }))
    }

    /// Tells everybody of a connection.
    pub fn connection(&self, kind: EventKind, connection: &Connection) {
        self.publish(
            kind,
            json!({
                "ref_id": connection.id,
                "server_name": connection.server,
                "alias": connection.alias,
                "status": connection.state().status,
            }),
        );
    }

    /// Tells everybody.
    pub fn publish(&self, kind: EventKind, data: Value) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.newest.send_if_modified(|newest| {
            let Some(newest) = newest else { return false };
            *newest += 1;
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(Arc::new(Event {
                number: *newest,
                kind,
                data,
            }));
            true
        });
    }

    /// Ends every stream: the engine stops.
    pub fn close(&self) {
        self.0.newest.send_replace(None);
    }

    /// The number of this life, the first part of an event's id.
    pub fn life(&self) -> u64 {
        self.0.life
    }

    /// A listener that reads on after an event `(life, number)`, or from now on. `None` if too many listen.
    pub fn listen(&self, after: Option<(u64, u64)>) -> Option<Listener> {
        let place = Arc::clone(&self.0.places).try_acquire_owned().ok()?;
        let newest = self.0.newest.subscribe();
        let now = newest.borrow().unwrap_or_default();
        let (seen, lost) = match after {
            None => (now, false),
            Some((life, number)) if life == self.0.life && number <= now => (number, false),
            // An event of an earlier life: what came after it is gone.
            Some(_) => (now, true),
        };
        Some(Listener {
            events: self.clone(),
            newest,
            seen,
            lost,
            _place: place,
        })
    }

    /// The first kept event after this number.
    fn after(&self, number: u64) -> Option<Arc<Event>> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let first = kept.partition_point(|event| event.number <= number);
        kept.get(first).cloned()
    }
}

/// A place in the events.
#[derive(Debug)]
pub struct Listener {
    events: Events,
    newest: watch::Receiver<Option<u64>>,
    seen: u64,
    lost: bool,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// Waits for the next event.
    pub async fn next(&mut self) -> Next {
        if std::mem::take(&mut self.lost) {
            return Next::Lagged(None);
        }
        let seen = self.seen;
        match self
            .newest
            .wait_for(|newest| newest.is_none_or(|newest| newest > seen))
            .await
        {
            Ok(newest) if newest.is_some() => {}
            _ => return Next::End,
        }
        let Some(event) = self.events.after(seen) else {
            return Next::End;
        };
        let missed = event.number - seen - 1;
        if missed > 0 {
            self.seen = event.number - 1;
            return Next::Lagged(Some(missed));
        }
        self.seen = event.number;
        Next::Event(event)
    }
}

#[cfg(test)]
mod tests;
