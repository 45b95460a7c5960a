//! What to do next. A pure function of what was observed; every step may be repeated.

mod api_key;
mod pod;
mod rotation;

use userengine_api::labels;
use userengine_rotation::decide::{Decision, News};
use userengine_rotation::ledger::{Key, KeyState, Ledger};

use super::api_key::{Change, News as ApiKeyNews};
use super::assess::{
    Assessment, ResolvedClass, Rotation, Severity, asked_of_api_key, growth, has_in_hand,
    wanted_size,
};
use super::build;
use super::child::{Child, ChildKind};
use super::growth::Growth;
use super::observed::{KeySecret, Observed};
use crate::cluster::has_finalizer;
use crate::record::Record;

/// One write, or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Put the finalizer on the `UserEngine`.
    Hold,
    /// Make a key: the brain's first one while there is no claim, or the target of the rotation that the record says is
    /// open. Never another.
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
    GrowClaim {
        /// From which size to which.
        growth: Growth,
        /// The patch.
        patch: serde_json::Value,
    },
    /// Put the finalizer back on a key Secret.
    HoldKey {
        /// Its name.
        name: String,
        /// The version that was seen: one that was let go since stays so.
        version: Option<String>,
    },
    /// Make the API key.
    MintApiKey,
    /// Bring the hashes back in line with the API key.
    MendApiKey,
    /// Take a rotation of the API key one step further.
    TurnApiKey(Box<Change>),
    /// Bring a child in line.
    Apply(Box<Child>),
    /// Annotate the pod, so that its kubelet brings the catalog or the hashes of API keys now.
    Nudge(serde_json::Value),
    /// Run the Job of a rotation's attempt.
    RunJob(Box<serde_json::Value>),
    /// Delete a Job of a rotation, its pods first.
    DeleteJob {
        /// Its name.
        name: String,
        /// Which one of that name.
        uid: Option<String>,
    },
    /// Delete a pod that does not run, in the version that was seen, so that one that begins anew takes its place.
    DeletePod {
        /// Its name.
        name: String,
        /// Which one of that name.
        uid: Option<String>,
        /// The version that was seen.
        version: Option<String>,
    },
    /// Destroy a key that the record says is being destroyed.
    DestroyKey {
        /// Name of the Secret.
        name: String,
        /// Which one of that name.
        uid: Option<String>,
        /// The version that was seen: a backup may put its hold on it at any time.
        version: Option<String>,
    },
}

impl Step {
    /// It may be taken beside others of which the same holds. The pod is not: its walls stand first.
    pub fn is_independent(&self) -> bool {
        match self {
            Self::HoldKey { .. } | Self::MintApiKey | Self::MendApiKey => true,
            Self::Apply(_) => !self.is_of_the_set(),
            _ => false,
        }
    }

    /// It changes the StatefulSet.
    fn is_of_the_set(&self) -> bool {
        matches!(self, Self::Apply(child) if child.id.kind == ChildKind::StatefulSet)
    }
}

/// The steps, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What to write, unless it is so already.
    pub steps: Vec<Step>,
    /// What is done all the same if something is in the way of the steps, as often as is needed: a wish to stop the engine waits for
    /// nothing, and neither does a former API key whose time is up.
    pub urgent: Vec<Step>,
    /// True if there is more to plan once these are done.
    pub again: bool,
    /// What to tell once they are done.
    pub news: Vec<News>,
    /// The same of the API key.
    pub api_key_news: Option<ApiKeyNews>,
}

impl Plan {
    /// It asks for a larger volume.
    pub fn grows(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step, Step::GrowClaim { .. }))
    }
}

/// Decides.
pub fn plan(observed: &Observed, assessment: &Assessment) -> Plan {
    let mut plan = Plan::default();
    // Also while it is paused: a deletion waits for no pause, and its policy must be kept.
    plan.steps.extend(hold(observed));
    if assessment.paused.holds() {
        return plan;
    }
    let stop = pod::stop(observed, assessment);
    let change = api_key::change(assessment);
    plan.api_key_news = change.as_ref().and_then(|change| change.news.clone());
    let turn = change.map(|change| Step::TurnApiKey(Box::new(change)));
    let nudge = api_key::nudge(observed, assessment);
    plan.urgent = [&stop, &nudge, &turn]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    bring_about(observed, assessment, &mut plan);
    if !plan.again {
        let is_changed = plan.steps.iter().any(Step::is_of_the_set);
        plan.steps.extend(stop.filter(|_| !is_changed));
        plan.steps.extend(pod::renew(observed, assessment));
        plan.again = turn.is_some();
        // Last of all, so that it holds nothing up.
        plan.steps.extend(nudge.into_iter().chain(turn));
    }
    plan
}

/// What is to be, apart from the pod's own troubles.
fn bring_about(observed: &Observed, assessment: &Assessment, plan: &mut Plan) {
    if observed.claim.is_none() {
        let class = assessment.resolved.as_ref();
        let birth = class.and_then(|class| birth(observed, assessment, class));
        plan.again = birth.is_some();
        plan.steps.extend(birth);
        return;
    }
    if let Some((record, rotation)) = assessment.record.as_ref().zip(assessment.rotation.as_ref()) {
        match &rotation.decision {
            // What is durable changes by itself, and everything is looked at again.
            Decision::Write(next, news) => {
                plan.steps.extend(write(observed, record, next));
                plan.news.clone_from(news);
                plan.again = true;
                return;
            }
            Decision::Wish(wish) => {
                let steps = rotation::steps(observed, record, wish, rotation.wants_proof);
                plan.steps.extend(steps);
            }
        }
    }
    if let Some(class) = &assessment.resolved {
        live(observed, assessment, class, plan);
    } else if let Some(kept) = &assessment.kept {
        plan.steps
            .extend(rotation::without_class(observed, assessment, kept));
    }
}

/// What keeps an engine with a brain as it should be.
fn live(observed: &Observed, assessment: &Assessment, class: &ResolvedClass, plan: &mut Plan) {
    // Blocked discards nothing and builds nothing: what runs goes on, what does not is not started.
    let Some(record) = assessment.record.as_ref().filter(|_| may_run(assessment)) else {
        plan.steps.extend(walls(observed, class));
        return;
    };
    let wish = assessment.rotation.as_ref().and_then(Rotation::wish);
    let amendment = amend_claim(observed, record, class);
    // A volume that a rotation works on grows after it.
    let growth = grow_claim(observed, class).filter(|_| !has_in_hand(observed, record));
    // One at a time: each is good for one version of the claim only.
    plan.again = amendment.is_some() && growth.is_some();
    let growth = growth.filter(|_| !plan.again);
    plan.steps.extend(amendment.map(Step::AmendClaim));
    let keys = record.ledger.keys.iter();
    let keys = keys.filter(|key| key.state != KeyState::Destroying);
    plan.steps
        .extend(keys.filter_map(|key| hold_key(observed, key)));
    let mint = wish.and_then(|wish| wish.mint.as_ref());
    plan.again |= mint.is_some();
    plan.steps.extend(mint.map(|suffix| Step::MintKey {
        name: observed.names().key(suffix),
        database_id: record.database_id.clone(),
    }));
    let mend = api_key::mend(observed);
    // A request for another key is met by a first one: that is to be told.
    plan.again |= mend == Some(Step::MintApiKey) && asked_of_api_key(observed).is_some();
    plan.steps.extend(mend);
    let children = build::children(observed, record, class);
    let nudge = children
        .iter()
        .find(|child| child.id.name == observed.names().catalog())
        .and_then(|catalog| build::nudge(observed, catalog));
    let waits = assessment.standing.waits(observed);
    let children = children.into_iter();
    let children = children.filter(|child| !(waits && child.id.kind == ChildKind::StatefulSet));
    let children = children.map(Box::new);
    plan.steps.extend(children.map(Step::Apply));
    plan.steps.extend(nudge.map(Step::Nudge));
    let rotation = assessment.rotation.as_ref();
    // Of the image that runs, which is the one that is asked for unless the class does not allow that.
    let runs = assessment.kept.as_ref().unwrap_or(class);
    let job = rotation.and_then(|rotation| rotation::job(observed, record, runs, rotation));
    plan.steps.extend(job);
    plan.steps.extend(growth);
}

fn hold(observed: &Observed) -> Option<Step> {
    let is_held = has_finalizer(&*observed.engine, labels::ENGINE_FINALIZER);
    (!is_held).then_some(Step::Hold)
}

/// The ledger and whatever else the record lacks, in the version of the claim that was seen.
fn write(observed: &Observed, record: &Record, next: &Ledger) -> Option<Step> {
    let should = Record {
        ledger: next.clone(),
        ..record.clone()
    };
    let patch = build::claim_amendment(observed.claim.as_ref()?, &should)?;
    Some(Step::AmendClaim(patch))
}

/// Key and volume allow the engine to run. A deletion that is under way takes nothing from a running engine.
fn may_run(assessment: &Assessment) -> bool {
    assessment.storage.allows_the_engine() && assessment.key.allows_the_engine()
}

/// The StatefulSet is kept as it should be.
pub fn keeps_the_set(assessment: &Assessment) -> bool {
    assessment.resolved.is_some() && may_run(assessment) && !assessment.paused.holds()
}

/// The walls around a pod that runs, whatever blocks the rest, as long as the claim says whose it is.
fn walls(observed: &Observed, class: &ResolvedClass) -> Option<Step> {
    observed.pod.as_ref()?;
    let record = observed.record()?.ok()?;
    let mut children = build::children(observed, &record, class).into_iter();
    let walls = children.find(|child| child.id.kind == ChildKind::NetworkPolicy)?;
    Some(Step::Apply(Box::new(walls)))
}

/// First the key, then, once it is read back, the claim that names it.
fn birth(observed: &Observed, assessment: &Assessment, class: &ResolvedClass) -> Option<Step> {
    if [&assessment.class, &assessment.storage, &assessment.key]
        .iter()
        .any(|finding| finding.severity == Severity::Blocked)
    {
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
                ledger: Ledger::born(kid.clone().ok()?, suffix),
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
    let should = Record {
        class: class.name.clone(),
        ..record.clone()
    };
    build::claim_amendment(claim, &should)
}

/// Asks for a larger volume, unless that was refused a while ago.
fn grow_claim(observed: &Observed, class: &ResolvedClass) -> Option<Step> {
    let claim = observed.claim.as_ref()?;
    let growth = growth(observed, claim, class)?;
    let refused = observed.refused_growth.as_ref();
    if refused.is_some_and(|refused| refused.stands_against(&growth, observed.now)) {
        return None;
    }
    let patch = build::claim_growth(claim, growth.to);
    Some(Step::GrowClaim { growth, patch })
}

fn hold_key(observed: &Observed, key: &Key) -> Option<Step> {
    match observed.keys.get(&key.suffix) {
        Some(KeySecret::Present {
            held: false,
            terminating: false,
            version,
            ..
        }) => Some(Step::HoldKey {
            name: observed.names().key(&key.suffix),
            version: version.clone(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
