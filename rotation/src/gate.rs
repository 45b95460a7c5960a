//! Whether the brain lets a Job in. The brain's own state decides, not what was mounted.

use userengine_api::key::Kid;

use crate::request::RotationId;

/// What the brain says of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BrainKeys {
    /// The key that seals.
    pub write_kid: Kid,
    /// Counts the runs that were let in to write.
    pub epoch: u64,
    /// The rotation that has begun to write and is not certified.
    pub open: Option<OpenInBrain>,
}

/// A rotation that has begun to write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpenInBrain {
    /// Its id.
    pub id: RotationId,
    /// The key before.
    pub from: Kid,
    /// The key that it seals with.
    pub to: Kid,
}

/// What a Job was told to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Order {
    /// The rotation.
    pub id: RotationId,
    /// The keys that may seal now; one, unless an earlier rotation ended with nobody knowing how far it had come.
    pub from: Vec<Kid>,
    /// The key to seal with.
    pub to: Kid,
}

/// The brain's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Admission {
    /// Nothing of it has been done: check, then begin with the epoch transaction.
    Begin,
    /// It had begun: check, then go on under a new epoch.
    Resume,
    /// It was certified: nothing to do.
    Done,
    /// It must not run.
    Refuse(Objection),
}

/// Why a Job must not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Objection {
    /// The brain is sealed with another key than the order says: the direction is wrong, or the order is old.
    Reversed,
    /// This rotation is over: it was superseded by another.
    Over,
    /// Its key is the one that seals already.
    SameKey,
    /// It has begun with another target.
    OtherTarget,
}
