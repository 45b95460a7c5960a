//! What is known for certain: that nothing of the engine can come, that a key is not needed, that one is gone.

use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::Job as JobObject;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;
use userengine_api::key::Kid;
use userengine_rotation::decide::{Decision, Job};
use userengine_rotation::ledger::{Key, KeyState, Ledger};
use userengine_rotation::verdict::Verdict;

use super::jobs;
use crate::record::Record;
use crate::user_engine::build;
use crate::user_engine::observed::{KeySecret, Observed};

/// How long after its end the Job of a proof that came to nothing makes room for another one.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// The StatefulSet has no replica and this ring, and its controller has seen that.
pub fn is_quiet(observed: &Observed, ledger: &Ledger) -> bool {
    let ring = ledger.ring().map(|key| observed.names().key(&key.suffix));
    let ring: Vec<_> = ring.collect();
    seen_by_its_controller(observed).is_some_and(|live| {
        let replicas = live.data.pointer("/spec/replicas");
        replicas.and_then(Value::as_i64) == Some(0) && build::ring_of(live) == ring
    })
}

/// The engine's StatefulSet, if there is nothing of it that its controller has not seen yet.
fn seen_by_its_controller(observed: &Observed) -> Option<&DynamicObject> {
    let live = observed.stateful_set()?;
    let generation = live.metadata.generation?;
    let seen = live.data.pointer("/status/observedGeneration")?.as_i64()?;
    let is_whole = live.metadata.deletion_timestamp.is_none() && seen == generation;
    is_whole.then_some(live)
}

/// Retired keys of which nothing speaks any more: neither values nor the quarantine, neither the StatefulSet nor the
/// pod that was asked, and no backup.
pub fn proven_unused(observed: &Observed, ledger: &Ledger) -> Vec<Kid> {
    let Some((active, set)) = ledger.active().zip(seen_by_its_controller(observed)) else {
        return Vec::new();
    };
    let mounted = build::ring_of(set);
    let is_free = |key: &&Key| {
        !is_on_hold(observed, key)
            && !mounted.contains(&observed.names().key(&key.suffix))
            && is_done_without(observed, &key.kid, &active.kid)
    };
    let retired = ledger.keys.iter().filter(|key| key.state.is_retired());
    retired.filter(is_free).map(|key| key.kid.clone()).collect()
}

/// An engine that serves says so itself; for one that sleeps, a Job that opened everything does.
fn is_done_without(observed: &Observed, kid: &Kid, active: &Kid) -> bool {
    if observed.pod.is_some() {
        let proof = observed.proof.as_ref();
        return proof.is_some_and(|proof| proof.does_without(kid, active));
    }
    match jobs::any(&observed.proving, observed.now) {
        Job::Ended(Some(Verdict::Verified(found))) => {
            found.kid == *active && !found.quarantined.contains_key(kid)
        }
        _ => false,
    }
}

fn is_on_hold(observed: &Observed, key: &Key) -> bool {
    let secret = observed.keys.get(&key.suffix);
    matches!(secret, Some(KeySecret::Present { on_hold: true, .. }))
}

/// Keys that are being destroyed, and of which nothing is left. A Secret of that name with another content is somebody
/// else's.
pub fn gone(observed: &Observed, record: &Record) -> Vec<Kid> {
    let destroyed = record.ledger.keys.iter();
    let destroyed = destroyed.filter(|key| key.state == KeyState::Destroying);
    destroyed
        .filter(|key| match observed.keys.get(&key.suffix) {
            None => false,
            Some(KeySecret::Absent) => true,
            Some(KeySecret::Present { kid, .. }) => kid.as_ref() != Ok(&key.kid),
        })
        .map(|key| key.kid.clone())
        .collect()
}

/// The Job that proves something of an engine that sleeps has its volume.
pub fn has_the_volume(observed: &Observed) -> bool {
    let job = jobs::any(&observed.proving, observed.now);
    !matches!(job, Job::Absent | Job::Ended(_))
}

/// The Job of a proof came to nothing some time ago, as another one may not: its pod was put out, or the volume could not be read.
pub fn failed_in_passing(observed: &Observed, job: &JobObject) -> bool {
    let ended = jobs::ended_at(job);
    let is_past = ended.is_some_and(|at| observed.now.duration_since(at) >= AGAIN);
    is_past
        && match jobs::one(&observed.proving, &job.name_any(), observed.now) {
            Job::Ended(None) => true,
            Job::Ended(Some(Verdict::Refused(refused))) => refused.refusal.reason.may_pass(),
            _ => false,
        }
}

/// A key's time is up, and no backup holds it.
pub fn wants_proof(observed: &Observed, ledger: &Ledger, decision: &Decision) -> bool {
    let Decision::Wish(wish) = decision else {
        return false;
    };
    let keys = wish.prove.iter().filter_map(|kid| ledger.key(kid));
    let mut keys = keys.filter(|key| !is_on_hold(observed, key));
    keys.next().is_some()
}
