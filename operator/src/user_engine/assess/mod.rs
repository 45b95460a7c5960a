//! What the observed state means: one finding for each condition. Pure.

mod class;
mod handed;
mod jobs;
mod kept;
mod key;
mod pause;
mod pod;
mod proof;
mod rotation;
mod storage;

use std::collections::BTreeMap;

use userengine_api::condition::Reason;
use userengine_api::engine_class::EngineClassSpec;

pub use jobs::is_over;
pub use kept::stateful_set;
pub use pod::is_ready;
pub use rotation::{Rotation, has_in_hand, stops_the_engine};
pub use storage::{is_bound, requested_size, wanted_size};

use super::observed::Observed;
use crate::record::Record;

/// What one condition comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Why.
    pub reason: Reason,
    /// What was found and what to do, for a person.
    pub message: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The condition holds.
    Fine,
    /// It does not hold, as somebody asked.
    Idle,
    /// It does not hold yet; time will do.
    Waiting,
    /// It does not hold, and somebody has to act.
    Blocked,
}

impl Finding {
    /// The condition holds.
    pub fn fine(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fine,
            reason: Reason::AsExpected,
            message: message.into(),
        }
    }

    /// The condition holds, but one thing is not as it was asked for.
    pub fn fine_but(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fine,
            reason,
            message: message.into(),
        }
    }

    /// It does not hold, as somebody asked.
    pub fn idle(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Idle,
            reason,
            message: message.into(),
        }
    }

    /// Time will do.
    pub fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Waiting,
            reason,
            message: message.into(),
        }
    }

    /// Somebody has to act.
    pub fn blocked(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Blocked,
            reason,
            message: message.into(),
        }
    }

    /// The condition holds.
    pub fn holds(&self) -> bool {
        self.severity == Severity::Fine
    }

    /// As a finding about a key: an engine can run on it. One that is being deleted stays readable, and the cure, a
    /// rotation, must not wait for it to be gone.
    pub fn allows_the_engine(&self) -> bool {
        self.severity < Severity::Blocked || self.reason == Reason::KeyDeletionPending
    }
}

/// The class that an engine follows.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedClass {
    /// Its name.
    pub name: String,
    /// What it says.
    pub spec: EngineClassSpec,
    /// What it hands to its engines.
    pub handed: Handed,
}

/// What a class hands to its engines; `None` where they keep what they have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handed {
    /// The files of the catalog.
    pub catalog: Option<BTreeMap<String, String>>,
    /// The certificate authorities; inside, `None` if there are none to add.
    pub ca: Option<Option<String>>,
}

/// A finding for each condition, and what is known well enough to act on.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// `ClassResolved`.
    pub class: Finding,
    /// `StorageReady`.
    pub storage: Finding,
    /// `KeyAvailable`.
    pub key: Finding,
    /// `EngineAvailable`.
    pub engine: Finding,
    /// `EncryptionUpToDate`.
    pub encryption: Finding,
    /// `Paused`.
    pub paused: Finding,
    /// The class, if there is one to follow.
    pub resolved: Option<ResolvedClass>,
    /// What the engine has of a class that is gone, for the rotation that has stopped it.
    pub kept: Option<ResolvedClass>,
    /// The record, if it can be trusted and is this user's.
    pub record: Option<Record>,
    /// What comes next for its keys.
    pub rotation: Option<Rotation>,
}

impl Assessment {
    /// What the conditions come to as a whole: what somebody has to act on, else the wish to stop it, which waits for
    /// nothing, else the first that does not hold.
    pub fn ready(&self) -> &Finding {
        let all = [&self.class, &self.storage, &self.key, &self.engine];
        let find = |wanted: fn(&Finding) -> bool| all.into_iter().find(|finding| wanted(finding));
        find(|finding| finding.severity == Severity::Blocked)
            .or_else(|| find(|finding| finding.severity == Severity::Idle))
            .or_else(|| find(|finding| !finding.holds()))
            .unwrap_or(&self.engine)
    }
}

/// Finds out what the observed state means.
pub fn assess(observed: &Observed) -> Assessment {
    let record = observed.record();
    let (class, resolved) = class::assess(
        observed,
        record.as_ref().and_then(|record| record.as_ref().ok()),
    );
    let storage = storage::assess(observed, record.as_ref(), resolved.as_ref());
    let key = key::assess(observed, record.as_ref());
    let engine = pod::assess(observed);
    let record = record
        .and_then(Result::ok)
        .filter(|record| record.user == observed.engine.spec.user);
    let is_well = resolved.is_some()
        && storage.severity < Severity::Blocked
        && key.allows_the_engine()
        && engine.severity <= Severity::Idle;
    let kept = record.as_ref().filter(|_| resolved.is_none());
    let kept = kept.and_then(|record| kept::settings(observed, record));
    let rotation = record.as_ref().map(|record| {
        let circumstances = rotation::Circumstances {
            class: resolved.as_ref(),
            kept: kept.as_ref(),
            held_back: !is_well || pause::is_asked(observed),
        };
        rotation::assess(observed, record, &circumstances)
    });
    let encryption = rotation.as_ref().map_or_else(
        || Finding::waiting(Reason::Waiting, "there is no brain to speak of yet"),
        |rotation| rotation.finding.clone(),
    );
    let engine = if !record.as_ref().is_some_and(stops_the_engine) {
        engine
    } else if encryption.severity == Severity::Blocked {
        // Somebody has to act before the engine can come back.
        encryption.clone()
    } else {
        Finding::waiting(Reason::Rotating, encryption.message.clone())
    };
    let paused = pause::assess(observed, record.as_ref());
    Assessment {
        class,
        storage,
        key,
        engine,
        encryption,
        paused,
        resolved,
        kept,
        record,
        rotation,
    }
}

#[cfg(test)]
mod tests;
