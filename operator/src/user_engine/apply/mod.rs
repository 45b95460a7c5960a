//! Carries out a plan. The only writer of children.

mod api_key;
mod outcome;

use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::api::ApiResource;
use serde_json::json;
use userengine_api::key::{EncryptionKey, KEY_BYTES};
use userengine_api::{UserEngine, labels};
use zeroize::Zeroizing;

pub use self::outcome::Applied;
use self::outcome::in_the_way;
use super::assess::Finding;
use super::build;
use super::child::Child;
use super::observed::{ApiKeySecret, Observed};
use super::plan::{Plan, Step};
use crate::cluster::drift::drifted;
use crate::cluster::ownership::{Ownership, ownership};
use crate::cluster::{WriteError, Writer};

/// A step that could not be carried out, and is worth another try.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The write failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The system gave no random bytes.
    #[error("failed to draw random bytes for a key")]
    Random(#[source] getrandom::Error),
}

/// Carries out the plan, up to where somebody else stands in the way. What is urgent is carried out all the same.
pub async fn apply(writer: &Writer, observed: &Observed, plan: &Plan) -> Applied {
    let mut applied = Applied {
        trouble: foreign_api_key(observed),
        ..Applied::default()
    };
    let mut tried = Vec::new();
    let all = up_to_trouble(writer, observed, plan, &mut applied, &mut tried).await;
    applied.error = all.err();
    if applied.is_whole() {
        return applied;
    }
    for step in plan.urgent.iter().filter(|step| !tried.contains(step)) {
        let outcome = carry_out(writer, observed, step).await;
        applied.take_urgent(step, outcome);
    }
    applied
}

/// Carries out the steps in order, those that may be side by side at once. While the API key's Secret is somebody else's, only
/// those, for no pod may mount it, and the finalizer, for a deletion keeps its policy all the same.
async fn up_to_trouble<'a>(
    writer: &Writer,
    observed: &Observed,
    plan: &'a Plan,
    applied: &mut Applied,
    tried: &mut Vec<&'a Step>,
) -> Result<(), Error> {
    let is_held = applied.trouble.is_some();
    let groups = plan
        .steps
        .chunk_by(|a, b| a.is_independent() && b.is_independent());
    for group in groups {
        let is_safe = |step: &Step| step.is_independent() || *step == Step::Hold;
        if is_held && !group.iter().all(is_safe) {
            continue;
        }
        tried.extend(group);
        let outcomes = join_all(group.iter().map(|step| carry_out(writer, observed, step))).await;
        for (step, outcome) in group.iter().zip(outcomes) {
            applied.take(observed, step, outcome)?;
        }
        if applied.trouble.is_some() && !is_held {
            break;
        }
    }
    Ok(())
}

enum Outcome {
    Done,
    InTheWay(Finding),
}

async fn carry_out(writer: &Writer, observed: &Observed, step: &Step) -> Result<Outcome, Error> {
    match step {
        Step::Hold => hold(writer, observed).await?,
        Step::MintKey { name, database_id } => {
            mint_key(writer, observed, name, database_id).await?;
        }
        Step::Claim(claim) => {
            let resource = ApiResource::erase::<PersistentVolumeClaim>(&());
            writer
                .create(&resource, "PersistentVolumeClaim", claim)
                .await?;
        }
        Step::AmendClaim(patch) | Step::GrowClaim { patch, .. } => {
            let name = observed.names().claim();
            writer
                .patch::<PersistentVolumeClaim>("PersistentVolumeClaim", &name, patch)
                .await?;
        }
        Step::HoldKey { name, version } => {
            writer
                .add_finalizer::<Secret>("Secret", name, version.as_deref(), labels::KEY_FINALIZER)
                .await?;
        }
        Step::MintApiKey => api_key::mint(writer, observed).await?,
        Step::MendApiKey => api_key::mend(writer, observed).await?,
        Step::TurnApiKey(change) => api_key::turn(writer, observed, change).await?,
        Step::Nudge(patch) => {
            writer
                .patch::<Pod>("Pod", &observed.names().pod(), patch)
                .await?;
        }
        Step::RunJob(job) => {
            writer
                .create(&ApiResource::erase::<Job>(&()), "Job", job)
                .await?;
        }
        Step::DeleteJob { name, uid } => {
            writer
                .delete_foreground::<Job>("Job", name, uid.clone())
                .await?;
        }
        Step::DeletePod { name, uid, version } => {
            writer
                .delete_seen::<Pod>("Pod", name, uid.clone(), version.clone())
                .await?;
        }
        Step::DestroyKey { name, uid, version } => {
            destroy_key(writer, name, uid.clone(), version.clone()).await?;
        }
        Step::Apply(child) => return apply_child(writer, observed, child).await,
    }
    Ok(Outcome::Done)
}

async fn hold(writer: &Writer, observed: &Observed) -> Result<(), Error> {
    let finalizers = observed
        .engine
        .metadata
        .finalizers
        .iter()
        .flatten()
        .map(String::as_str);
    let all: Vec<_> = finalizers.chain([labels::ENGINE_FINALIZER]).collect();
    let metadata =
        json!({ "finalizers": all, "resourceVersion": observed.engine.metadata.resource_version });
    let patch = json!({ "metadata": metadata });
    Ok(writer
        .patch::<UserEngine>("UserEngine", &observed.name(), &patch)
        .await?)
}

/// Creates the key's Secret. If it exists already, a crash left it: the next look finds it and uses it.
async fn mint_key(
    writer: &Writer,
    observed: &Observed,
    name: &str,
    database_id: &str,
) -> Result<(), Error> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(Error::Random)?;
    let secret = build::key_secret(
        observed,
        name,
        database_id,
        &EncryptionKey::from_bytes(*bytes),
    );
    match writer
        .create(&ApiResource::erase::<Secret>(&()), "Secret", &secret)
        .await
    {
        Err(WriteError::Raced { .. }) => Ok(()),
        other => Ok(other?),
    }
}

/// Deletes exactly this Secret as it was seen, and lets it go.
async fn destroy_key(
    writer: &Writer,
    name: &str,
    uid: Option<String>,
    version: Option<String>,
) -> Result<(), Error> {
    writer
        .delete_seen::<Secret>("Secret", name, uid.clone(), version)
        .await?;
    let let_go = writer
        .remove_finalizer::<Secret>("Secret", name, uid.as_deref(), labels::KEY_FINALIZER)
        .await;
    match let_go {
        // Nothing held it any more.
        Err(WriteError::Raced { .. }) => Ok(()),
        other => Ok(other?),
    }
}

/// Absent: create. Ours: put right if it drifted. Anybody else's: leave it alone and say so.
async fn apply_child(
    writer: &Writer,
    observed: &Observed,
    child: &Child,
) -> Result<Outcome, Error> {
    let (kind, resource) = (child.id.kind.as_str(), child.id.kind.resource());
    let Some(live) = observed.children.get(&child.id) else {
        writer.create(&resource, kind, &child.object).await?;
        return Ok(Outcome::Done);
    };
    let ownership = ownership(&live.metadata, &observed.name(), &observed.uid());
    if ownership != Ownership::Ours {
        return Ok(Outcome::InTheWay(in_the_way(
            ownership,
            kind,
            &child.id.name,
        )));
    }
    if live.metadata.deletion_timestamp.is_some() || !drifted(live, &child.object) {
        return Ok(Outcome::Done);
    }
    writer.replace(&resource, kind, live, &child.object).await?;
    Ok(Outcome::Done)
}

fn foreign_api_key(observed: &Observed) -> Option<Finding> {
    let ownership = match observed.api_key {
        ApiKeySecret::Foreign => Ownership::Foreign,
        ApiKeySecret::Former => Ownership::Former,
        ApiKeySecret::Absent | ApiKeySecret::Ours(_) => return None,
    };
    Some(in_the_way(ownership, "Secret", &observed.names().api_key()))
}

#[cfg(test)]
mod tests;
