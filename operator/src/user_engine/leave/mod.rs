//! The end of an engine. Nothing in here waits for a pod or a node, so nothing in here can hang.

mod keys;
mod walls;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod};
use kube::runtime::events::{Event, EventType};
use kube::{Api, ResourceExt};
use serde_json::json;
use userengine_api::names::{INITIAL, Names, key_suffix};
use userengine_api::user_engine::DeletionPolicy;
use userengine_api::{UserEngine, labels};

use super::assess::orphans;
use super::observed::Observed;
use super::report::{event_of, publish};
use super::{Context, build, observe};
use crate::clock::left_of;
use crate::cluster::{WriteError, Writer, has_finalizer};
use crate::{record, retained};

/// The engine could not be let go.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster could not be read.
    #[error("failed to read {what} of an engine that is being deleted")]
    Read {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// A write failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Brain or keys could not be let go.
    #[error(transparent)]
    LetGo(#[from] retained::Error),
    /// A key that is to be erased first is still there.
    #[error("failed to erase key Secret {0}: somebody else's finalizer holds it")]
    KeyHeld(String),
}

/// What becomes of brain and keys.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Fate {
    /// They stay as they are.
    Stay,
    /// They are deleted.
    Deleted,
    /// The keys are destroyed, and then the brain is deleted.
    Erased,
    /// They are being deleted by somebody else, and no longer held back.
    LetGo,
}

/// For so long after its deletion an engine stays that lacks a key or its claim. What an operator asked for that has died since
/// may be made after the next one has looked for it, and nobody would ever take its finalizer off. It is longer than the API
/// server takes for a write, and the whole seconds of its times are taken into account.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(5);

/// Does what the deletion policy says and takes the finalizer off. The disposable children go with their owner. Gives how long
/// that is to be put off, if it is.
pub async fn leave(
    context: &Context,
    writer: &Writer,
    observed: &Observed,
) -> Result<Option<Duration>, Error> {
    let engine = &*observed.engine;
    if !has_finalizer(engine, labels::ENGINE_FINALIZER) {
        return Ok(None);
    }
    stop_jobs(context, writer, engine).await?;
    walls::keep(context, writer, engine).await?;
    let claim = claim(context, engine).await?;
    let is_ours = claim
        .as_ref()
        .is_some_and(|claim| retained::user(claim) == Some(engine.spec.user.as_str()));
    let namespace_ends = namespace_ends(context, engine).await?;
    let fate = fate(engine, claim.as_ref(), namespace_ends);
    if let Some(wait) = under_way(engine, crate::clock::now())
        && fate != Fate::Stay
        && lacks_any(context, engine, claim.as_ref()).await?
    {
        return Ok(Some(wait));
    }
    match fate {
        // A key of this engine's own that no record names: nobody else would take its finalizer off.
        Fate::Stay => {
            let_go_of_unrecorded(context, writer, engine, claim.as_ref()).await?;
            tell_claim(writer, observed).await?;
        }
        // The brain of another user is not this engine's to delete.
        Fate::Deleted | Fate::Erased if claim.is_some() && !is_ours && !namespace_ends => {
            let_go_of_unrecorded(context, writer, engine, claim.as_ref()).await?;
            publish(&context.recorder, engine, &left(engine)).await;
        }
        Fate::Deleted if claim.is_none() || is_ours => {
            keys::destroy(context, writer, engine, claim.as_ref()).await?;
        }
        Fate::Erased if claim.is_none() || is_ours => {
            keys::erase(context, writer, engine, claim.as_ref()).await?;
        }
        Fate::LetGo | Fate::Deleted | Fate::Erased => {
            let_go(context, writer, engine, claim.as_ref()).await?;
        }
    }
    let finalizers: Vec<_> = engine
        .finalizers()
        .iter()
        .filter(|name| *name != labels::ENGINE_FINALIZER)
        .collect();
    let patch = json!({ "metadata": { "finalizers": finalizers, "resourceVersion": engine.resource_version() } });
    writer
        .patch::<UserEngine>("UserEngine", &engine.name_any(), &patch)
        .await?;
    Ok(None)
}

/// How long something may still be under way; `None` if it is not.
fn under_way(engine: &UserEngine, now: Timestamp) -> Option<Duration> {
    let deleted = engine.metadata.deletion_timestamp.as_ref()?;
    left_of(UNDER_WAY, deleted.0, now)
}

/// There is no claim, or one that names a key which is not there. The brain's first key is no such key once it is rotated away.
async fn lacks_any(
    context: &Context,
    engine: &UserEngine,
    claim: Option<&PersistentVolumeClaim>,
) -> Result<bool, Error> {
    let Some(claim) = claim else { return Ok(true) };
    for suffix in record::suffixes(claim.annotations()) {
        let name = Names(&engine.name_any()).key(&suffix);
        if keys::key(context, engine, &name).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whoever asked for a brain to be deleted hears that it was not.
fn left(engine: &UserEngine) -> Event {
    let note = format!(
        "volume '{}' and the keys that it names are left as they are: its annotation {} does not say that the brain is this user's",
        Names(&engine.name_any()).claim(),
        labels::USER
    );
    event_of("Delete", EventType::Warning, "BrainLeft", &note)
}

/// Leaves word on the claim. Where the cluster forbids that, the next engine takes it for one that holds a brain.
async fn tell_claim(writer: &Writer, observed: &Observed) -> Result<(), Error> {
    let Some(patch) = word_for_the_next(observed) else {
        return Ok(());
    };
    let engine = &observed.engine;
    let name = Names(&engine.name_any()).claim();
    let told = writer
        .patch::<PersistentVolumeClaim>("PersistentVolumeClaim", &name, &patch)
        .await;
    match told {
        Err(WriteError::Refused { message, .. }) => {
            let (namespace, engine) = (engine.namespace(), engine.name_any());
            tracing::warn!(
                namespace,
                engine,
                message,
                "the claim is not told whether there is a brain"
            );
            Ok(())
        }
        told => Ok(told?),
    }
}

/// What the claim is to be told: that its engine never was Ready, so that one of its name begins where it ended; or that it was,
/// if it says otherwise. A claim that says nothing holds a brain.
fn word_for_the_next(observed: &Observed) -> Option<serde_json::Value> {
    let claim = observed.claim.as_ref()?;
    let record = observed.record()?.ok()?;
    let said = claim.annotations().get(labels::INITIALISED);
    let is_known = match said {
        Some(said) => !record.initialised || said == "true",
        None => record.initialised,
    };
    let is_ours = record.user == observed.engine.spec.user;
    (is_ours && !is_known).then(|| build::claim_told(claim, record.initialised))
}

/// Takes the finalizer off this engine's first key, if it is not the one that the claim's record names.
async fn let_go_of_unrecorded(
    context: &Context,
    writer: &Writer,
    engine: &UserEngine,
    claim: Option<&PersistentVolumeClaim>,
) -> Result<(), Error> {
    let initial = initial_key(engine);
    if claim.is_some_and(|claim| retained::key_names(claim).contains(&initial)) {
        return Ok(());
    }
    let namespace = engine.namespace().unwrap_or_default();
    Ok(retained::let_go(&context.client, writer, &namespace, &[initial], None).await?)
}

/// Name of the Secret that birth makes for this engine.
fn initial_key(engine: &UserEngine) -> String {
    let suffix = key_suffix(&engine.uid().unwrap_or_default(), INITIAL);
    Names(&engine.name_any()).key(&suffix)
}

/// Without a claim nothing names a key that was made: its finalizer must go now, or nobody would ever take it off.
/// The key itself stays: a claim that was torn away may come back.
fn fate(engine: &UserEngine, claim: Option<&PersistentVolumeClaim>, namespace_ends: bool) -> Fate {
    let claim_goes = claim.is_none_or(|claim| claim.metadata.deletion_timestamp.is_some());
    match engine.spec.deletion_policy {
        DeletionPolicy::Delete => Fate::Deleted,
        DeletionPolicy::Erase => Fate::Erased,
        DeletionPolicy::Retain if namespace_ends || claim_goes => Fate::LetGo,
        DeletionPolicy::Retain => Fate::Stay,
    }
}

/// The Job of a rotation must not outlive its engine: whoever takes the brain up next finds it where it stands.
async fn stop_jobs(context: &Context, writer: &Writer, engine: &UserEngine) -> Result<(), Error> {
    let namespace = engine.namespace().unwrap_or_default();
    let jobs: Api<Job> = Api::namespaced(context.client.clone(), &namespace);
    let ours = observe::of_rotation(&engine.name_any());
    let found = jobs.list(&ours).await.map_err(|source| Error::Read {
        what: "the Jobs",
        source,
    })?;
    for job in found {
        writer
            .delete_foreground::<Job>("Job", &job.name_any(), job.uid())
            .await?;
    }
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let found = pods.list(&ours).await.map_err(|source| Error::Read {
        what: "the pods of Jobs",
        source,
    })?;
    for left in orphans(&found.items) {
        writer
            .delete::<Pod>("Pod", &left.name_any(), left.uid())
            .await?;
    }
    Ok(())
}

async fn let_go(
    context: &Context,
    writer: &Writer,
    engine: &UserEngine,
    claim: Option<&PersistentVolumeClaim>,
) -> Result<(), Error> {
    let namespace = engine.namespace().unwrap_or_default();
    let claim_name = claim.map(ResourceExt::name_any);
    let keys = key_names(engine, claim);
    Ok(retained::let_go(
        &context.client,
        writer,
        &namespace,
        &keys,
        claim_name.as_deref(),
    )
    .await?)
}

/// The keys of the record, and the first one in case it was made and never recorded.
fn key_names(engine: &UserEngine, claim: Option<&PersistentVolumeClaim>) -> Vec<String> {
    let initial = initial_key(engine);
    let mut names = claim.map(retained::key_names).unwrap_or_default();
    if !names.contains(&initial) {
        names.push(initial);
    }
    names
}

async fn claim(
    context: &Context,
    engine: &UserEngine,
) -> Result<Option<PersistentVolumeClaim>, Error> {
    let api = Api::namespaced(
        context.client.clone(),
        &engine.namespace().unwrap_or_default(),
    );
    let found = api.get_opt(&Names(&engine.name_any()).claim()).await;
    found.map_err(|source| Error::Read {
        what: "the claim",
        source,
    })
}

async fn namespace_ends(context: &Context, engine: &UserEngine) -> Result<bool, Error> {
    let api: Api<Namespace> = Api::all(context.client.clone());
    let found = api.get_opt(&engine.namespace().unwrap_or_default()).await;
    let found = found.map_err(|source| Error::Read {
        what: "the namespace",
        source,
    })?;
    Ok(found.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::record::Record;
    use crate::user_engine::fixtures::{World, record, world};

    #[test]
    fn a_claim_is_told_that_its_engine_never_was_ready_or_that_it_was_if_it_denies_it() {
        let said =
            |world: &World| word_for_the_next(&world.0).map(|patch| patch["metadata"].clone());
        let told = |word: &str| {
            Some(json!({ "annotations": { labels::INITIALISED: word }, "resourceVersion": "7" }))
        };
        assert_eq!(said(&world().claimed()), told("false"));
        assert_eq!(said(&world().claimed().denied().running()), told("true"));
        assert_eq!(said(&world()), None, "no claim");
        assert_eq!(said(&world().claimed().running()), None, "it serves");
        let was = Record {
            initialised: true,
            ..record()
        };
        assert_eq!(said(&world().claimed_with(&was)), None, "it served");
        assert_eq!(said(&world().claimed().denied()), None, "said before");
        let others = Record {
            user: "somebody-else".to_owned(),
            ..record()
        };
        assert_eq!(said(&world().claimed_with(&others)), None, "not its own");
    }

    fn engine(policy: &str) -> UserEngine {
        let object = json!({
            "apiVersion": "userengine.dev/v1alpha1", "kind": "UserEngine",
            "metadata": { "name": "alice" }, "spec": { "user": "alice", "deletionPolicy": policy },
        });
        serde_json::from_value(object).unwrap()
    }

    fn claim(terminating: bool) -> PersistentVolumeClaim {
        let time = terminating.then_some("2026-01-01T00:00:00Z");
        let object = json!({ "metadata": { "name": "alice-brain", "deletionTimestamp": time } });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn retain_holds_a_brain_unless_somebody_else_ends_it() {
        let (retain, here, going) = (engine("Retain"), claim(false), claim(true));
        assert_eq!(fate(&retain, Some(&here), false), Fate::Stay);
        assert_eq!(fate(&retain, Some(&here), true), Fate::LetGo);
        assert_eq!(fate(&retain, Some(&going), false), Fate::LetGo);
    }

    #[test]
    fn what_may_be_under_way_is_waited_for_and_never_for_long() {
        let mut engine = engine("Delete");
        let now = crate::clock::now();
        let mut after = |seconds| {
            let deleted = now - SignedDuration::from_secs(seconds);
            engine.metadata.deletion_timestamp = Some(Time(deleted));
            under_way(&engine, now)
        };
        assert_eq!(after(0), Some(Duration::from_secs(5)));
        assert_eq!(after(4), Some(Duration::from_secs(1)));
        assert_eq!([5, 3600, -1, -3600].map(after), [None; 4]);
    }

    #[test]
    fn a_key_that_no_claim_names_is_let_go_and_not_deleted() {
        assert_eq!(fate(&engine("Retain"), None, false), Fate::LetGo);
    }

    #[test]
    fn erase_goes_by_the_keys_whatever_else_goes_on() {
        let (erase, here) = (engine("Erase"), claim(false));
        assert_eq!(fate(&erase, Some(&here), true), Fate::Erased);
        assert_eq!(fate(&erase, None, false), Fate::Erased);
    }

    #[test]
    fn delete_deletes_whatever_else_goes_on() {
        let (delete, here) = (engine("Delete"), claim(false));
        assert_eq!(fate(&delete, Some(&here), true), Fate::Deleted);
        assert_eq!(fate(&delete, None, false), Fate::Deleted);
    }
}
