//! The steps that make the transition table's wishes true, as far as they are not the engine's own children.

use kube::ResourceExt;
use serde_json::Value;
use userengine_rotation::decide::Wish;
use userengine_rotation::ledger::Key;

use super::Step;
use crate::record::Record;
use crate::user_engine::assess::ResolvedClass;
use crate::user_engine::build;
use crate::user_engine::observed::{KeySecret, Observed};

/// What goes: Jobs that are not wanted, and keys that are being destroyed. Even of an engine that is blocked.
pub fn steps(observed: &Observed, record: &Record, wish: &Wish) -> Vec<Step> {
    let wanted = wish.job.and_then(|_| {
        let open = record.ledger.open.as_ref()?;
        Some(build::job_name(&observed.name(), record, open))
    });
    let is_wanted = |name: &str| !wish.clear_jobs && wanted.as_deref() == Some(name);
    let may_go = wish.clear_jobs || wanted.is_some();
    let jobs = observed.rotating.jobs.iter().filter(|_| may_go);
    let jobs = jobs
        .filter(|job| job.metadata.deletion_timestamp.is_none() && !is_wanted(&job.name_any()))
        .map(|job| Step::DeleteJob {
            name: job.name_any(),
            uid: job.uid(),
        });
    let destroyed = record.ledger.keys.iter();
    let destroyed = destroyed.filter(|key| wish.destroy.contains(&key.suffix));
    jobs.chain(destroyed.filter_map(|key| destroy(observed, key)))
        .collect()
}

/// Only what holds that very key: a Secret of the name with another content is somebody else's.
fn destroy(observed: &Observed, key: &Key) -> Option<Step> {
    match observed.keys.get(&key.suffix)? {
        KeySecret::Present {
            kid: Ok(kid), uid, ..
        } if *kid == key.kid => Some(Step::DestroyKey {
            name: observed.names().key(&key.suffix),
            uid: uid.clone(),
        }),
        _ => None,
    }
}

/// The Job, if there is none of its name. One that is there is left as it is: an image or a class that changes
/// concerns the next attempt.
pub fn job(
    observed: &Observed,
    record: &Record,
    class: &ResolvedClass,
    wish: &Wish,
) -> Option<Step> {
    wish.job?;
    let job = build::job(observed, record, class)?;
    let name = job.pointer("/metadata/name").and_then(Value::as_str)?;
    let mut known = observed.rotating.jobs.iter();
    let is_there = known.any(|job| job.name_any() == name);
    (!is_there).then(|| Step::RunJob(Box::new(job)))
}
