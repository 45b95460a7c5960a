//! The steps that keep the API key, and that change it.

use kube::ResourceExt;
use serde_json::json;
use userengine_api::labels;

use super::Step;
use crate::user_engine::api_key::{Change, Decision, short};
use crate::user_engine::assess::Assessment;
use crate::user_engine::build::annotate;
use crate::user_engine::observed::{ApiKeySecret, Observed};

/// What a rotation of the API key writes next.
pub fn change(assessment: &Assessment) -> Option<Change> {
    match &assessment.api_key {
        Some(Decision::Write(change)) => Some(change.clone()),
        _ => None,
    }
}

/// What an API key that is missing, or hashes that are not its own, ask for.
pub fn mend(observed: &Observed) -> Option<Step> {
    match &observed.api_key {
        ApiKeySecret::Absent => Some(Step::MintApiKey),
        ApiKeySecret::Ours(secret) => match &secret.key_hash {
            None => Some(Step::MintApiKey),
            Some(hash) => (secret.hashes != secret.hashes_with(hash)).then_some(Step::MendApiKey),
        },
        ApiKeySecret::Foreign | ApiKeySecret::Former => None,
    }
}

/// The step that makes the kubelet look at its mounts now, if the engine has not got what the Secret gives it: it says
/// so, or the keys have just changed their places, of which it tells whoever calls with the former one.
pub fn nudge(observed: &Observed, assessment: &Assessment) -> Option<Step> {
    let ApiKeySecret::Ours(secret) = &observed.api_key else {
        return None;
    };
    let is_needed = match assessment.api_key.as_ref()? {
        Decision::AwaitEngine => observed.proof.is_some(),
        Decision::AwaitTime(_) => true,
        Decision::Write(_) | Decision::Rest => false,
    };
    let pod = observed.pod.as_ref().filter(|_| is_needed)?;
    let names: Vec<_> = secret.hashes.split(',').map(short).collect();
    let wanted = names.join(".");
    let is_told = pod.annotations().get(labels::API_KEYS) == Some(&wanted);
    (!is_told && pod.metadata.deletion_timestamp.is_none()).then(|| {
        let annotations = json!({ labels::API_KEYS: wanted });
        Step::Nudge(annotate(pod, &annotations))
    })
}
