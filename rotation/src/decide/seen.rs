//! What can be seen of one engine.

use userengine_api::key::Kid;

use super::Stuck;
use crate::request::Request;
use crate::verdict::{Progress, Verdict};

/// What can be seen of one engine. Everything but the clock is read after the ledger.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// Unix seconds.
    pub now: i64,
    /// The id that the brain carries: the names of key Secrets are computed from it.
    pub database_id: &'a str,
    /// What the spec asks for.
    pub request: Option<&'a Request>,
    /// A rotation that is due because of the active key's age (see [`crate::age`]).
    pub due: Option<&'a Request>,
    /// Unix seconds from which on one is, or will be; `None` if age alone asks for none.
    pub due_at: Option<i64>,
    /// The brain was Ready once. Before that an id is satisfied by birth.
    pub initialised: bool,
    /// Nothing may be started: the engine is blocked, paused, or on its way between suspended and not. What is past
    /// minting goes on.
    pub held_back: bool,
    /// The Secret of the open rotation's target.
    pub target: Target,
    /// The StatefulSet was written as the ledger wants it, with no replica and with the ring, and its controller has
    /// seen that: no pod of it can come any more.
    pub quiet: bool,
    /// The pods that mount the claim, the Job's aside.
    pub holders: Holders,
    /// The Job of the attempt that runs; while none does, any Job of a rotation.
    pub job: Job,
    /// Seconds that the engine may take to stop.
    pub grace: i64,
    /// Seconds that a retired key is kept.
    pub retain_retired: i64,
    /// Retired keys of which fresh proof says that nothing is sealed with them, in quarantine neither, that no pod and no
    /// StatefulSet mounts them, as written and as its controller has seen it, and that no hold names them.
    pub proven_unused: &'a [Kid],
    /// Keys that are being destroyed, and whose Secret is gone.
    pub gone: &'a [Kid],
}

impl Seen<'_> {
    /// What somebody has to act on before a rotation that has stopped the engine can go on.
    pub(super) fn stuck(&self) -> Option<Stuck> {
        let is_unreachable = self.holders == Holders::Unreachable || self.job == Job::Unreachable;
        is_unreachable.then_some(Stuck::NodeUnreachable)
    }
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
    /// A pod of it is on a node that nobody can reach, whether or not it is being deleted.
    Unreachable,
    /// All its pods ended. The last thing said, as the kubelet reported it; `None` if the pod vanished or said nothing.
    Ended(Option<Verdict>),
}
