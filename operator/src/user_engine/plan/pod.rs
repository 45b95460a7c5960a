//! What is done about a pod that runs and should not, or should run and does not.

use super::Step;
use super::rotation::delete_pod;
use crate::user_engine::assess::{Assessment, refused_its_key, stops_the_engine};
use crate::user_engine::build;
use crate::user_engine::observed::{KeySecret, Observed, is_ready};

/// Stops an engine that is to be suspended, whatever keeps it from being changed otherwise: nothing of it but its replicas
/// is. A rotation that has stopped it has done so already.
pub fn stop(observed: &Observed, assessment: &Assessment) -> Option<Step> {
    let is_rotating = assessment.record.as_ref().is_some_and(stops_the_engine);
    if !observed.engine.spec.suspended || is_rotating {
        return None;
    }
    let stopped = build::suspended(observed.stateful_set()?)?;
    Some(Step::Apply(Box::new(stopped)))
}

/// Deletes a pod whose kubelet waits before its next try, though what it lacked is there by now. The one that takes its
/// place is tried at once.
pub fn renew(observed: &Observed, assessment: &Assessment) -> Option<Step> {
    let pod = observed.pod.as_ref()?;
    let is_alive = is_ready(pod) || pod.metadata.deletion_timestamp.is_some();
    if is_alive || !(observed.found || has_its_key(observed, assessment)) {
        return None;
    }
    Some(delete_pod(pod))
}

/// The engine refused the key that its pod was given, and there is another Secret by now, which is as it should be.
fn has_its_key(observed: &Observed, assessment: &Assessment) -> bool {
    let refused = observed.pod.as_ref().and_then(refused_its_key);
    let Some(refused) = refused.filter(|_| assessment.key.holds()) else {
        return false;
    };
    observed.keys.values().any(|secret| {
        matches!(secret, KeySecret::Present { created_at: Some(made), .. } if *made > refused)
    })
}
