//! What the operator does next: the transition table.
//!
//! [`decide`] looks at what is durable and at what can be seen, and gives either one write of the ledger, after which
//! everything is looked at again, or a [`Wish`] that the rest of the plan makes true. A wish may be made true twice.

use userengine_api::key::Kid;

use crate::ledger::Ledger;
use crate::request::Request;
use crate::verdict::{Progress, Verdict};

/// What can be seen of one engine.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// Unix seconds.
    pub now: i64,
    /// What the spec asks for.
    pub request: Option<&'a Request>,
    /// The id and time of a rotation that is due because of the active key's age.
    pub due: Option<&'a Request>,
    /// The brain was Ready once. Before that an id is satisfied by birth.
    pub initialised: bool,
    /// Nothing may be started: the engine is blocked, paused or suspended half-way. What is open goes on.
    pub held_back: bool,
    /// The Secret of the open rotation's target.
    pub target: Target,
    /// The pods that mount the claim, the Job's aside.
    pub holders: Holders,
    /// The Job of the open rotation.
    pub job: Job,
    /// Seconds that the engine may take to stop.
    pub grace: i64,
    /// Seconds that a retired key is kept.
    pub retain_retired: i64,
    /// Withheld keys of which fresh proof says that nothing is sealed with them, that no engine holds them, and that no
    /// hold names them.
    pub proven_unused: &'a [Kid],
    /// Keys that are being destroyed, and whose Secret is gone.
    pub gone: &'a [Kid],
}

/// A key Secret, without its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// There is none of that name.
    Absent,
    /// It holds this key, and says that it is for this brain.
    Usable(Kid),
    /// It is there and of no use: malformed, of another brain, or being deleted.
    Unusable,
}

/// The pods that mount a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holders {
    /// There are none.
    None,
    /// At least one, which runs or goes.
    Some,
    /// At least one, on a node that nobody can reach: whether it runs is not known.
    Unreachable,
}

/// The Job of one attempt, and its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Neither the Job nor a pod of it.
    Absent,
    /// It is being deleted, or was and a pod of it is still there.
    Going,
    /// It has not ended. What it says of its progress, if it was asked.
    Running(Option<Progress>),
    /// It ended with this verdict; `None` if its pod vanished or said nothing.
    Ended(Option<Verdict>),
}

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
    /// No engine: the StatefulSet has no replica.
    pub stopped: bool,
    /// Suffixes of the Secrets in the engine's ring.
    pub ring: Vec<String>,
    /// Mint a key under this suffix, if there is none.
    pub mint: Option<String>,
    /// Run the Job of this attempt.
    pub job: Option<u8>,
    /// Delete every Job of a rotation, and wait for its pods.
    pub clear_jobs: bool,
    /// Destroy the Secrets of these suffixes.
    pub destroy: Vec<String>,
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
    /// The target's Secret cannot be used.
    TargetUnusable,
}

/// What an Event tells.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A rotation was opened.
    Opened,
    /// The id is satisfied without work.
    Satisfied,
    /// A rollback to a key that is not there any more, or an id that is reserved.
    Rejected(&'static str),
    /// The engine stops for it.
    Quiescing,
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
    Ended {
        /// With what verdict; `None` if deadlines ended it.
        verdict: Option<Verdict>,
    },
    /// A key's destruction began.
    Destroying(Kid),
    /// A key is gone for good.
    Destroyed(Kid),
}

/// Decides. The ledger is what was read back from the API server, never what was meant to be written.
pub fn decide(_ledger: &Ledger, _seen: &Seen<'_>) -> Decision {
    Decision::Wish(Wish::default())
}
