//! What the operator does next: the transition table.
//!
//! [`decide`] looks at what is durable and at what can be seen, and gives either one write of the ledger, after which
//! everything is looked at again, or a [`Wish`] that the rest of the plan makes true. A wish may be made true twice, and
//! its parts in any order.

mod attempt;
mod end;
mod idle;
mod open;
mod report;
mod seen;
mod stopping;

#[cfg(test)]
mod tests;

use userengine_api::key::Kid;

use crate::ledger::{KeyState, Last, Ledger, Phase};
use crate::request::{Request, RotationId};

pub use report::{Stage, UpToDate, Why, stage, up_to_date};
pub use seen::{Holders, Job, Seen, Target};

/// How often a rotation tries, if what went wrong may pass by itself.
pub const ATTEMPTS: u8 = 3;
/// Seconds that an engine may need to stop, beyond its grace.
pub const QUIESCE_SECONDS: i64 = 120;
/// Seconds that an attempt may take without progress.
pub const ATTEMPT_SECONDS: i64 = 300;
/// Seconds between two writes of progress: it is written down only so that the deadline moves with it.
pub const PROGRESS_SECONDS: i64 = 60;

/// Seconds by which the clocks of operators may differ without harm.
pub const CLOCKS_SECONDS: i64 = 10;

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Write this ledger, tell these news, and look again.
    Write(Box<Ledger>, Vec<News>),
    /// Nothing durable changes: make this true.
    Wish(Wish),
}

/// What should be true of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// No engine: the StatefulSet has no replica. Otherwise it has what the spec asks for.
    pub stopped: bool,
    /// Suffixes of the Secrets in the engine's ring. Set in the same write as `stopped`.
    pub ring: Vec<String>,
    /// Mint a key under this suffix, if there is none.
    pub mint: Option<String>,
    /// Run the Job of this attempt, and delete every other of a rotation.
    pub job: Option<u8>,
    /// Delete every Job of a rotation, and wait for its pods.
    pub clear_jobs: bool,
    /// Keys whose time is up, and of which fresh proof is wanted that nothing is sealed with them.
    pub prove: Vec<Kid>,
    /// Destroy the Secrets of these suffixes.
    pub destroy: Vec<String>,
    /// A request that waits for the open rotation, or until the engine is well.
    pub queued: Option<RotationId>,
    /// Look again after so many seconds, though nothing may have changed.
    pub look_again: Option<i64>,
    /// What stands in the way, if somebody has to act.
    pub stuck: Option<Stuck>,
}

/// What somebody has to act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stuck {
    /// A pod that mounts the claim is on a node that nobody can reach.
    NodeUnreachable,
}

/// What an Event tells.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A rotation was opened.
    Opened(RotationId),
    /// The id is satisfied without work.
    Satisfied(RotationId),
    /// A rollback to a key that is not there any more, or an id that is reserved: the last one of the ledger says why.
    Rejected(Box<Last>),
    /// The key was read back, and the engine stops.
    Quiescing(Kid),
    /// The Job starts.
    Started {
        /// Which attempt.
        attempt: u8,
    },
    /// An attempt came to nothing, and there will be another.
    Retrying {
        /// Why.
        why: String,
    },
    /// It ended.
    Ended(Box<Last>),
    /// A key's destruction began.
    Destroying(Kid),
    /// A key is gone for good.
    Destroyed(Kid),
}

/// Decides. The ledger is what was read back from the API server, never what was meant to be written, and never older
/// than what this operator wrote last.
pub fn decide(ledger: &Ledger, seen: &Seen<'_>) -> Decision {
    if let Some(write) = forget_destroyed(ledger, seen) {
        return write;
    }
    let Some(rotation) = &ledger.open else {
        return idle::decide(ledger, seen);
    };
    if rotation.since.saturating_sub(seen.now) > CLOCKS_SECONDS {
        // The clock was put back, or another operator's was ahead. The deadlines begin anew, and not when that time has come.
        let next = open::moved(ledger, seen, rotation.clone());
        return Decision::Write(Box::new(next), Vec::new());
    }
    match rotation.phase {
        Phase::Minting => stopping::minting(ledger, rotation, seen),
        Phase::Quiescing => stopping::quiescing(ledger, rotation, seen),
        Phase::Running => attempt::running(ledger, rotation, seen),
        Phase::Clearing => attempt::clearing(ledger, rotation, seen),
    }
}

fn forget_destroyed(ledger: &Ledger, seen: &Seen<'_>) -> Option<Decision> {
    let is_gone = |kid: &Kid, state| state == KeyState::Destroying && seen.gone.contains(kid);
    let gone = ledger
        .keys
        .iter()
        .find(|key| is_gone(&key.kid, key.state))?;
    let mut next = ledger.clone();
    next.keys.retain(|key| key.kid != gone.kid);
    Some(write(next, News::Destroyed(gone.kid.clone())))
}

fn write(next: Ledger, news: News) -> Decision {
    Decision::Write(Box::new(next), vec![news])
}

/// The request that is next, whether or not it can be opened now.
fn pending<'a>(ledger: &Ledger, seen: &Seen<'a>) -> Option<&'a Request> {
    let is_open = |id: &RotationId| ledger.open.as_ref().is_some_and(|open| open.id == *id);
    let is_new = |request: &&Request| !ledger.has_consumed(&request.id) && !is_open(&request.id);
    let asked = seen.request.filter(is_new);
    asked.or_else(|| seen.due.filter(|_| ledger.open.is_none()).filter(is_new))
}

/// What is wished for whatever else is: the ring, and the ends of keys.
fn standing(ledger: &Ledger, seen: &Seen<'_>) -> Wish {
    let suffixes = |wanted: fn(KeyState) -> bool| {
        let keys = ledger.keys.iter().filter(move |key| wanted(key.state));
        keys.map(|key| key.suffix.clone()).collect()
    };
    Wish {
        ring: suffixes(KeyState::in_ring),
        destroy: suffixes(|state| state == KeyState::Destroying),
        queued: pending(ledger, seen).map(|request| request.id.clone()),
        ..Wish::default()
    }
}
