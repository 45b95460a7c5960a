//! What the status should say. Pure.

mod api_key;
mod encryption;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
use kube::ResourceExt;
use userengine_api::condition::{ConditionType, Reason};
use userengine_api::status::{EngineInfo, Phase, StorageInfo, UserEngineStatus};

use super::assess::{Assessment, Finding, Severity, engine_container};
use super::build;
use super::observe::PATIENCE;
use super::observed::Observed;
use crate::clock::left_of;

/// How long a pod or a volume may take without a word: one second more, because both ends of that are whole seconds.
const NEW: SignedDuration = SignedDuration::from_secs(PATIENCE.as_secs() + 1);
/// How long an engine may wait for its first pod without a word, from the operator's first turn, which made its claim, where
/// many are made at once.
const FIRST_POD: SignedDuration = SignedDuration::from_secs(60);

/// What a status is made from.
pub struct Report<'a> {
    /// The look that the plan was made from.
    pub observed: &'a Observed,
    /// What it means.
    pub assessment: &'a Assessment,
    /// What stood in the way of the plan.
    pub trouble: Option<&'a Finding>,
    /// The version that the engine says it has.
    pub version: Option<&'a str>,
    /// The time of a transition that happens now.
    pub now: Timestamp,
}

impl Report<'_> {
    /// The condition `Ready`: what stood in the way first, else what was found.
    pub fn ready(&self) -> &Finding {
        match self.trouble {
            Some(trouble) if self.assessment.ready().severity != Severity::Blocked => trouble,
            _ => self.assessment.ready(),
        }
    }

    /// The whole status.
    pub fn status(&self) -> UserEngineStatus {
        let engine = &self.observed.engine;
        let class = self.assessment.resolved.as_ref();
        let last = engine.status.clone().unwrap_or_default();
        let url = class.and_then(|class| {
            build::public_url(
                &class.spec,
                &engine.name_any(),
                &engine.namespace().unwrap_or_default(),
            )
        });
        // Between one pod that waits for its image and the next.
        let is_tried_anew = self.assessment.engine.reason == Reason::ImagePullFailed;
        UserEngineStatus {
            phase: Some(self.phase()),
            observed_generation: self.generation(),
            class_name: class.map(|class| class.name.clone()).or(last.class_name),
            node: self
                .observed
                .pod
                .as_ref()
                .and_then(|pod| pod.spec.as_ref()?.node_name.clone())
                // A rotation's Job would like to run where the engine ran.
                .or_else(|| last.node.filter(|_| self.is_rotating() || is_tried_anew)),
            url,
            engine: self
                .engine()
                .or_else(|| last.engine.filter(|_| is_tried_anew)),
            // A claim that this engine may not run on is none that it had: losing it is no loss.
            storage: self
                .storage()
                .filter(|_| self.assessment.storage.allows_the_engine())
                .or(last.storage),
            encryption: self.encryption().or(last.encryption),
            api_key: self.api_key(),
            settled: last.settled,
            conditions: self.conditions(),
        }
    }

    /// How long this status need not be told, because all that is new in it is how far an engine or its pod has come that
    /// was made just now: that is told if it takes longer, or with what it comes to. `None` if it has to be told.
    pub fn passing(&self, status: &UserEngineStatus) -> Option<Duration> {
        let last = self.observed.engine.status.as_ref();
        let last = last.filter(|last| last.is_told());
        let passes = self.trouble.is_none()
            && match (status.phase, last) {
                (Some(Phase::Starting), Some(last)) => differ_in_progress(status, last),
                (Some(Phase::Pending | Phase::Starting), None) => !self.assessment.paused.holds(),
                _ => false,
            };
        self.new_for(last.is_some()).filter(|_| passes)
    }

    /// How long the pod still counts as new, or, while there is none, an engine of which nothing is told; `None` if neither does.
    fn new_for(&self, is_told: bool) -> Option<Duration> {
        let made = |metadata: &ObjectMeta| Some(metadata.creation_timestamp.as_ref()?.0);
        let left = |length, made| left_of(length, made, self.observed.now);
        let reason = self.ready().reason;
        match (&self.observed.pod, &self.observed.claim) {
            (Some(pod), _) => left(NEW, made(&pod.metadata)?),
            (None, _) if is_told => None,
            // An engine that takes over a claim has its first turn later than that was made.
            (None, Some(claim)) if reason == Reason::Starting => {
                let engine = made(&self.observed.engine.metadata)?;
                left(FIRST_POD, made(&claim.metadata)?.max(engine))
            }
            (None, Some(claim)) => left(NEW, made(&claim.metadata)?),
            // It was asked for just now, in the turn that this look began.
            (None, None) if reason == Reason::ClaimPending => NEW.try_into().ok(),
            (None, None) => None,
        }
    }

    /// The generation that was acted on: during a pause that of its beginning, so that whoever waits for a change to be
    /// carried out goes on waiting.
    fn generation(&self) -> Option<i64> {
        let engine = &self.observed.engine;
        if self.assessment.paused.holds() {
            return engine.status.as_ref()?.observed_generation;
        }
        engine.metadata.generation
    }

    fn phase(&self) -> Phase {
        let ready = self.ready();
        match (ready.severity, ready.reason) {
            (Severity::Fine, _) => Phase::Ready,
            (Severity::Idle, _) => Phase::Suspended,
            (Severity::Waiting, Reason::Rotating) => Phase::Rotating,
            (Severity::Waiting, Reason::Stopping) => Phase::Suspending,
            (Severity::Blocked, _) => Phase::Blocked,
            (Severity::Waiting, _) if self.observed.claim.is_some() => Phase::Starting,
            (Severity::Waiting, _) => Phase::Pending,
        }
    }

    fn engine(&self) -> Option<EngineInfo> {
        let container = engine_container(self.observed.pod.as_ref()?)?;
        Some(EngineInfo {
            image: container.image.clone().unwrap_or_default(),
            version: self.version.map(str::to_owned),
        })
    }

    fn storage(&self) -> Option<StorageInfo> {
        let claim = self.observed.claim.as_ref()?;
        let record = self.assessment.record.as_ref();
        let last = self.observed.engine.status.as_ref();
        let last = last.and_then(|status| status.storage.as_ref());
        let capacity = claim
            .status
            .as_ref()
            .and_then(|status| status.capacity.as_ref());
        let size = capacity
            .and_then(|capacity| capacity.get("storage"))
            .map(|size| size.0.clone());
        Some(StorageInfo {
            claim: claim.name_any(),
            // Also while its record cannot be read.
            initialised: record.is_some_and(|record| record.initialised)
                || last.is_some_and(|last| last.initialised),
            size,
        })
    }

    fn conditions(&self) -> Vec<Condition> {
        let Assessment {
            class,
            storage,
            key,
            engine,
            encryption,
            paused,
            ..
        } = self.assessment;
        let ready = self.ready();
        let findings = [ready, class, key, storage, engine, encryption, paused];
        ConditionType::ALL
            .into_iter()
            .zip(findings)
            .map(|(kind, finding)| self.condition(kind, finding))
            .collect()
    }

    /// The time changes with the condition's status only
    /// (<https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md>).
    fn condition(&self, kind: ConditionType, finding: &Finding) -> Condition {
        let status = if finding.holds() { "True" } else { "False" };
        let last = self.observed.condition(kind);
        let since = last
            .filter(|last| last.status == status)
            .map(|last| last.last_transition_time.clone());
        Condition {
            type_: kind.as_str().to_owned(),
            status: status.to_owned(),
            reason: finding.reason.as_str().to_owned(),
            message: finding.message.clone(),
            observed_generation: if kind == ConditionType::Paused {
                self.observed.engine.metadata.generation
            } else {
                self.generation()
            },
            last_transition_time: since.unwrap_or(Time(self.now)),
        }
    }
}

/// Is the only difference how far a pod has come?
fn differ_in_progress(status: &UserEngineStatus, last: &UserEngineStatus) -> bool {
    use ConditionType::{EngineAvailable, Ready, StorageReady};
    let told_at_once = |status: &UserEngineStatus| {
        let passing = [Ready, StorageReady, EngineAvailable].map(ConditionType::as_str);
        let mut status = status.clone();
        (status.node, status.engine, status.storage) = (None, None, None);
        status.settled = None;
        status
            .conditions
            .retain(|condition| !passing.contains(&condition.type_.as_str()));
        status
    };
    told_at_once(status) == told_at_once(last)
}

#[cfg(test)]
mod tests;
