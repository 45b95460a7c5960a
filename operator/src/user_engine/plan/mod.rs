//! What to do next. A pure function of what was observed; every step may be repeated.

use userengine_api::labels;

use super::assess::{Assessment, ResolvedClass, is_bound, requested_size, wanted_size};
use super::build;
use super::child::{Child, ChildKind};
use super::observed::{ApiKeySecret, KeySecret, Observed};
use crate::record::{KeyState, Record, RecordedKey};

/// One write, or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Put the finalizer on the `UserEngine`.
    Hold,
    /// Make the brain's first key. Only ever planned while there is no claim.
    MintKey {
        /// Name of the Secret.
        name: String,
        /// The brain it is for.
        database_id: String,
    },
    /// Claim the volume, with the record of the key that was minted and read back.
    Claim(Box<serde_json::Value>),
    /// Change the claim's annotations or finalizer.
    AmendClaim(serde_json::Value),
    /// Ask for a larger volume. Many storage classes refuse, and the engine goes on with what it has.
    GrowClaim(serde_json::Value),
    /// Put the finalizer back on a key Secret.
    HoldKey(String),
    /// Make the API key.
    MintApiKey,
    /// Bring the hashes back in line with the API key.
    MendApiKey,
    /// Bring a child in line.
    Apply(Box<Child>),
    /// Annotate the pod, so that its kubelet brings the catalog now.
    Nudge(serde_json::Value),
}

impl Step {
    /// It may be taken beside others of which the same holds. The pod is not: its walls stand first.
    pub fn is_independent(&self) -> bool {
        match self {
            Self::HoldKey(_) | Self::MintApiKey | Self::MendApiKey => true,
            Self::Apply(child) => child.id.kind != ChildKind::StatefulSet,
            _ => false,
        }
    }
}

/// The steps, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What to write, unless it is so already.
    pub steps: Vec<Step>,
    /// True if there is more to plan once these are done.
    pub again: bool,
}

/// Decides.
pub fn plan(observed: &Observed, assessment: &Assessment) -> Plan {
    let mut steps = Vec::new();
    if !observed
        .engine
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|name| name == labels::ENGINE_FINALIZER)
    {
        steps.push(Step::Hold);
    }
    let Some(class) = &assessment.resolved else {
        return Plan {
            steps,
            again: false,
        };
    };
    if observed.claim.is_none() {
        let birth = birth(observed, assessment, class);
        return Plan {
            again: birth.is_some(),
            steps: steps.into_iter().chain(birth).collect(),
        };
    }
    // Blocked discards nothing and builds nothing: what runs goes on, what does not is not started.
    let Some(record) = assessment.record.as_ref().filter(|_| may_run(assessment)) else {
        steps.extend(walls(observed, class));
        return Plan {
            steps,
            again: false,
        };
    };
    let amendment = amend_claim(observed, record, class);
    let growth = grow_claim(observed, class);
    // One at a time: each is good for one version of the claim only.
    let again = amendment.is_some() && growth.is_some();
    let growth = growth.filter(|_| !again);
    steps.extend(amendment.map(Step::AmendClaim));
    steps.extend(record.keys.iter().filter_map(|key| hold_key(observed, key)));
    steps.extend(api_key(observed));
    let record = &Record {
        initialised: record.initialised || assessment.engine.holds(),
        ..record.clone()
    };
    let children = build::children(observed, record, class);
    let nudge = children
        .iter()
        .find(|child| child.id.name == observed.names().catalog())
        .and_then(|catalog| build::nudge(observed, catalog));
    steps.extend(
        children
            .into_iter()
            .map(|child| Step::Apply(Box::new(child))),
    );
    steps.extend(nudge.map(Step::Nudge));
    steps.extend(growth.map(Step::GrowClaim));
    Plan { steps, again }
}

/// Key and volume allow the engine to run. A deletion that is under way takes nothing from a running engine.
fn may_run(assessment: &Assessment) -> bool {
    use super::assess::Severity;
    [&assessment.storage, &assessment.key]
        .iter()
        .all(|finding| finding.severity < Severity::Blocked)
}

/// The walls around a pod that runs, whatever blocks the rest.
fn walls(observed: &Observed, class: &ResolvedClass) -> Option<Step> {
    observed.pod.as_ref()?;
    let record = observed.record()?.ok()?;
    let mut children = build::children(observed, &record, class).into_iter();
    let walls = children.find(|child| child.id.kind == ChildKind::NetworkPolicy)?;
    Some(Step::Apply(Box::new(walls)))
}

/// First the key, then, once it is read back, the claim that names it.
fn birth(observed: &Observed, assessment: &Assessment, class: &ResolvedClass) -> Option<Step> {
    if !may_run(assessment) {
        return None;
    }
    let suffix = observed.initial_suffix();
    match observed.keys.get(&suffix) {
        None | Some(KeySecret::Absent) => Some(Step::MintKey {
            name: observed.names().key(&suffix),
            database_id: observed.uid(),
        }),
        Some(KeySecret::Present { kid, .. }) => {
            let record = Record {
                database_id: observed.uid(),
                user: observed.engine.spec.user.clone(),
                class: class.name.clone(),
                keys: vec![RecordedKey {
                    kid: kid.clone().ok()?,
                    state: KeyState::Active,
                    suffix,
                }],
                initialised: false,
            };
            let size = wanted_size(observed, class).ok()?;
            Some(Step::Claim(Box::new(build::claim(
                observed, &record, class, size,
            ))))
        }
    }
}

/// What the claim lacks, as a merge patch.
fn amend_claim(
    observed: &Observed,
    record: &Record,
    class: &ResolvedClass,
) -> Option<serde_json::Value> {
    let claim = observed.claim.as_ref()?;
    let ready = observed.pod.as_ref().is_some_and(super::assess::is_ready);
    let should = Record {
        class: class.name.clone(),
        initialised: record.initialised || ready,
        ..record.clone()
    };
    build::claim_amendment(claim, &should)
}

/// The patch that makes the volume larger. The API server takes it for a bound claim only.
fn grow_claim(observed: &Observed, class: &ResolvedClass) -> Option<serde_json::Value> {
    let claim = observed.claim.as_ref().filter(|claim| is_bound(claim))?;
    let wanted = wanted_size(observed, class).ok()?;
    (wanted > requested_size(claim)?).then(|| build::claim_growth(claim, wanted))
}

fn hold_key(observed: &Observed, key: &RecordedKey) -> Option<Step> {
    match observed.keys.get(&key.suffix) {
        Some(KeySecret::Present {
            held: false,
            terminating: false,
            ..
        }) => Some(Step::HoldKey(observed.names().key(&key.suffix))),
        _ => None,
    }
}

fn api_key(observed: &Observed) -> Option<Step> {
    match &observed.api_key {
        ApiKeySecret::Absent | ApiKeySecret::Ours { key_hash: None, .. } => Some(Step::MintApiKey),
        ApiKeySecret::Ours {
            key_hash: Some(hash),
            hashes,
            ..
        } if hash != hashes => Some(Step::MendApiKey),
        ApiKeySecret::Ours { .. } | ApiKeySecret::Foreign | ApiKeySecret::Former => None,
    }
}

#[cfg(test)]
mod tests;
