//! What the observed state means: one finding for each condition. Pure.

mod api_key;
mod bounds;
mod class;
mod container;
mod handed;
mod jobs;
mod kept;
mod key;
mod obstacle;
mod pause;
mod pod;
mod proof;
mod quote;
mod rollout;
mod rotation;
mod storage;

use std::collections::BTreeMap;

use userengine_api::condition::Reason;
use userengine_api::engine_class::EngineClassSpec;

pub use api_key::{asked as asked_of_api_key, overlap as overlap_of_api_keys};
pub use container::{engine_container, image_that_is_there};
pub use jobs::{between, is_over, orphans, time_left, verified_by};
pub use kept::has_a_pod_to_keep;
pub use obstacle::{Awaited, Missing, awaited, is_refused, lack, missing, pulls_with, said_before};
pub use pod::refused_its_key;
pub use proof::failed_in_passing;
pub use quote::quoted;
pub use rollout::Standing;
pub use rotation::{Rotation, has_in_hand, stops_the_engine};
pub use storage::{growth, is_bound, wanted_size};

use super::api_key::Decision;
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

    /// As a finding about key or volume: an engine can run on it. A key that is being deleted stays readable, and the
    /// cure, a rotation, must not wait for it to be gone. A volume that is yet to be made holds nothing to be careful of.
    pub fn allows_the_engine(&self) -> bool {
        let cannot_harm = matches!(
            self.reason,
            Reason::KeyDeletionPending | Reason::ProvisioningFailed
        );
        self.severity < Severity::Blocked || cannot_harm
    }
}

/// The class that an engine follows.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedClass {
    /// Its name.
    pub name: String,
    /// What it says, with the image and the resources that the engine has otherwise.
    pub spec: EngineClassSpec,
    /// What it hands to its engines.
    pub handed: Handed,
    /// The engine asks for more than it allows, and keeps the pod that it has.
    pub keeps_pod: bool,
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
    /// What the engine has, where its class is gone or allows less than it asks for: with this it goes through a rotation.
    pub kept: Option<ResolvedClass>,
    /// The record, if it can be trusted and is this user's.
    pub record: Option<Record>,
    /// What comes next for its keys.
    pub rotation: Option<Rotation>,
    /// What comes next for its API key; `None` if there is none.
    pub api_key: Option<Decision>,
    /// How it stands to what its class says now.
    pub standing: Standing,
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

    /// Something waits for what the engine says of its keys now.
    pub fn wants_word(&self) -> bool {
        let rotation = self.rotation.as_ref();
        rotation.is_some_and(|rotation| rotation.wants_proof)
            || self.api_key == Some(Decision::AwaitEngine)
    }
}

/// Finds out what the observed state means.
pub fn assess(observed: &Observed) -> Assessment {
    let record = observed.record();
    let (mut class, resolved) = class::assess(
        observed,
        record.as_ref().and_then(|record| record.as_ref().ok()),
    );
    let storage = storage::assess(observed, record.as_ref(), resolved.as_ref());
    let key = key::assess(observed, record.as_ref());
    let record = record
        .and_then(Result::ok)
        .filter(|record| record.user == observed.engine.spec.user);
    let paused = pause::assess(observed, record.as_ref());
    let engine = pod::assess(observed, paused.holds());
    let is_whole =
        resolved.is_some() && storage.severity < Severity::Blocked && key.allows_the_engine();
    let standing = match (&record, &resolved) {
        (Some(record), Some(class)) if is_whole && !paused.holds() => {
            rollout::standing(observed, record, class, &engine)
        }
        _ => Standing::Apart,
    };
    let waits = resolved.as_ref().filter(|_| standing.waits(observed));
    if let Some(resolved) = waits.filter(|_| class.reason == Reason::AsExpected) {
        class = rollout::queued(resolved);
    }
    let is_well =
        is_whole && class.severity < Severity::Blocked && engine.severity <= Severity::Idle;
    let api_key = api_key::assess(observed, !is_whole);
    let keeps_pod = resolved.as_ref().is_none_or(|class| class.keeps_pod);
    let kept = record.as_ref().filter(|_| keeps_pod);
    let kept = kept.and_then(|record| kept::settings(observed, record));
    let rotation = record.as_ref().map(|record| {
        let asked = |held_back| {
            let circumstances = rotation::Circumstances {
                class: resolved.as_ref(),
                kept: kept.as_ref(),
                held_back,
            };
            rotation::assess(observed, record, &circumstances)
        };
        let rotation = asked(!is_well || pause::is_asked(observed));
        // It would come back as the class is now, past those that wait before it.
        let can_wait = standing.waits(observed) && rotation.begins_in_peace(record);
        if can_wait { asked(true) } else { rotation }
    });
    let encryption = rotation.as_ref().map_or_else(
        || Finding::waiting(Reason::Waiting, "there is no brain to speak of yet"),
        |rotation| rotation.finding.clone(),
    );
    let engine = if !record.as_ref().is_some_and(stops_the_engine) {
        told(observed, engine)
    } else if encryption.severity == Severity::Blocked {
        // Somebody has to act before the engine can come back.
        encryption.clone()
    } else {
        Finding::waiting(Reason::Rotating, encryption.message.clone())
    };
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
        api_key,
        standing,
    }
}

/// Suspended is said only while nothing has the volume: people back volumes up then. No rotation waits for it.
fn told(observed: &Observed, engine: Finding) -> Finding {
    if engine.severity == Severity::Idle && proof::has_the_volume(observed) {
        return Finding::waiting(
            Reason::Stopping,
            "a Job has the volume: it opens every value once more before a key is destroyed",
        );
    }
    engine
}

#[cfg(test)]
mod tests;
