//! The steps that make the transition table's wishes true, as far as they are not the engine's own children.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::Value;
use userengine_rotation::decide::Wish;
use userengine_rotation::ledger::Key;

use super::{Step, may_run};
use crate::record::Record;
use crate::user_engine::assess::{
    Assessment, ResolvedClass, Rotation, failed_in_passing, has_in_hand, is_over, orphans,
};
use crate::user_engine::build;
use crate::user_engine::observed::{KeySecret, Observed};

/// What goes: Jobs that are not wanted, what is left of Jobs that are gone, and keys that are being destroyed. Even of an engine that
/// is blocked.
pub fn steps(observed: &Observed, record: &Record, wish: &Wish, wants_proof: bool) -> Vec<Step> {
    let wanted = wish.job.and_then(|_| {
        let open = record.ledger.open.as_ref()?;
        Some(build::job_name(&observed.name(), record, open))
    });
    let may_go = wish.clear_jobs || wanted.is_some();
    let others = observed.rotating.jobs.iter().filter(|_| may_go);
    let others =
        others.filter(|job| wish.clear_jobs || wanted.as_deref() != Some(job.name_any().as_str()));
    let proof =
        (wants_proof && is_asleep(observed)).then(|| build::proof_name(&observed.name(), record));
    let proofs = observed.proving.jobs.iter();
    let proofs = proofs.filter(|job| {
        proof.as_deref() != Some(job.name_any().as_str()) || failed_in_passing(observed, job)
    });
    let jobs = others.chain(proofs);
    let jobs = jobs.filter(|job| job.metadata.deletion_timestamp.is_none());
    let destroyed = record.ledger.keys.iter();
    let destroyed = destroyed.filter(|key| wish.destroy.contains(&key.suffix));
    // What a pod comes to whose Job is gone is not asked for.
    let left = orphans(&observed.rotating.pods).filter(|pod| wish.clear_jobs || is_over(pod));
    let left = left.chain(orphans(&observed.proving.pods));
    jobs.map(delete)
        .chain(left.map(delete_pod))
        .chain(destroyed.filter_map(|key| destroy(observed, key)))
        .collect()
}

fn delete(job: &Job) -> Step {
    Step::DeleteJob {
        name: job.name_any(),
        uid: job.uid(),
    }
}

/// In the version that was seen.
pub fn delete_pod(pod: &Pod) -> Step {
    Step::DeletePod {
        name: pod.name_any(),
        uid: pod.uid(),
        version: pod.resource_version(),
    }
}

/// No pod has the brain, and none is to have it.
fn is_asleep(observed: &Observed) -> bool {
    observed.engine.spec.suspended && observed.pod.is_none()
}

/// Only what holds that very key: a Secret of the name with another content is somebody else's. One that a backup has put its
/// hold on since there is no way back stays until the hold goes.
fn destroy(observed: &Observed, key: &Key) -> Option<Step> {
    match observed.keys.get(&key.suffix)? {
        KeySecret::Present {
            kid: Ok(kid),
            uid,
            version,
            on_hold: false,
            ..
        } if *kid == key.kid => Some(Step::DestroyKey {
            name: observed.names().key(&key.suffix),
            uid: uid.clone(),
            version: version.clone(),
        }),
        _ => None,
    }
}

/// The Job of the attempt, or the one that proves something of an engine that sleeps, if there is none of its name. One
/// that is there is left as it is: an image or a class that changes concerns the next attempt.
pub fn job(
    observed: &Observed,
    record: &Record,
    class: &ResolvedClass,
    rotation: &Rotation,
) -> Option<Step> {
    let is_attempt = rotation.wish()?.job.is_some();
    let (known, job) = if is_attempt {
        (
            &observed.rotating.jobs,
            build::job(observed, record, class)?,
        )
    } else if rotation.wants_proof && is_asleep(observed) {
        (
            &observed.proving.jobs,
            build::proof(observed, record, class)?,
        )
    } else {
        return None;
    };
    let name = job.pointer("/metadata/name").and_then(Value::as_str)?;
    let is_there = known.iter().any(|job| job.name_any() == name);
    (!is_there).then(|| Step::RunJob(Box::new(job)))
}

/// The class is gone. What it was is not known any more, and nothing is changed by a guess; but an engine that a rotation has
/// stopped is not left so: the rotation goes on with the settings that the engine has, and gives it back with these.
pub fn without_class(
    observed: &Observed,
    assessment: &Assessment,
    kept: &ResolvedClass,
) -> Vec<Step> {
    let record = assessment.record.as_ref();
    let record = record.filter(|it| may_run(assessment) && has_in_hand(observed, it));
    let Some((record, rotation)) = record.zip(assessment.rotation.as_ref()) else {
        return Vec::new();
    };
    let children = build::of_rotation(observed, record, kept);
    let children = children.into_iter().map(|it| Step::Apply(Box::new(it)));
    children
        .chain(job(observed, record, kept, rotation))
        .collect()
}
