//! Brains that outlived their engine. When somebody deletes the claim of one, or its namespace, the
//! finalizers that protected claim and keys are taken off: keys first, for the claim is their only record.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::select_all;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Secret};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::sync::Semaphore;
use userengine_api::names::{INITIAL, Names, engine_of_claim, key_suffix};
use userengine_api::{UserEngine, labels};

use crate::cluster::{WriteError, Writer, has_finalizer};
use crate::metrics::Metrics;
use crate::record;
use crate::seen::{Leaving, Seen};
use crate::user_engine::retry::Backoff;

/// Brain and keys could not be let go.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster could not be read.
    #[error("failed to read what belongs to a brain")]
    Read(#[from] kube::Error),
    /// A finalizer could not be taken off.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Claims that are worked on at once.
const AT_ONCE: usize = 8;

/// Lets go of the claims of engines that are gone, for as long as anybody tells of a claim that is being deleted, or of an
/// engine that went.
pub async fn run(client: Client, leaving: Vec<Leaving>, metrics: Arc<Metrics>, seen: Arc<Seen>) {
    let (turns, hands) = (Semaphore::new(AT_ONCE), Hands::default());
    select_all(leaving)
        .for_each_concurrent(None, |claim| async {
            let claim = (claim.namespace.unwrap_or_default(), claim.name);
            if !hands.take(&claim) {
                return;
            }
            let (namespace, name) = &claim;
            let writer = Writer::new(
                client.clone(),
                namespace.clone(),
                metrics.clone(),
                seen.clone(),
            );
            loop {
                persist(&turns, &client, &writer, namespace, name).await;
                if hands.are_done_with(&claim) {
                    return;
                }
            }
        })
        .await;
}

/// Tries until it is done, or the claim or its namespace is gone. It has its turn while it tries, and not while it waits.
async fn persist(turns: &Semaphore, client: &Client, writer: &Writer, namespace: &str, name: &str) {
    let backoff = Backoff::default();
    loop {
        let released = {
            // Never closed.
            let _turn = turns.acquire().await;
            release(client, writer, namespace, name).await
        };
        let Err(error) = released else { return };
        if is_gone(client, namespace).await {
            return;
        }
        tracing::warn!(namespace, claim = name, %error, "failed to let go of a retained claim; trying again");
        tokio::time::sleep(backoff.next(name)).await;
    }
}

/// There is no such namespace. Where the permission to read in it went with it, nothing else says that nothing is left there.
async fn is_gone(client: &Client, namespace: &str) -> bool {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    matches!(namespaces.get_opt(namespace).await, Ok(None))
}

/// The claims, by namespace and name, that are in hand; true for one that was shown again since.
#[derive(Default)]
struct Hands(Mutex<HashMap<(String, String), bool>>);

impl Hands {
    fn all(&self) -> MutexGuard<'_, HashMap<(String, String), bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if it was not in hand.
    fn take(&self, claim: &(String, String)) -> bool {
        match self.all().entry(claim.clone()) {
            Entry::Occupied(mut again) => {
                again.insert(true);
                false
            }
            Entry::Vacant(place) => {
                place.insert(false);
                true
            }
        }
    }

    /// It has been looked at; false if it was shown again meanwhile and has to be looked at once more.
    fn are_done_with(&self, claim: &(String, String)) -> bool {
        let mut all = self.all();
        match all.get_mut(claim) {
            Some(again) if *again => {
                *again = false;
                false
            }
            _ => {
                all.remove(claim);
                true
            }
        }
    }
}

/// Lets go of a claim that is being deleted, unless an engine of its user holds it.
pub async fn release(
    client: &Client,
    writer: &Writer,
    namespace: &str,
    name: &str,
) -> Result<(), Error> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let Some(claim) = claims.get_opt(name).await? else {
        return Ok(());
    };
    let Some(engine) = engine_of_claim(name) else {
        return Ok(());
    };
    let engines: Api<UserEngine> = Api::namespaced(client.clone(), namespace);
    let holder = engines.get_opt(engine).await?.filter(|engine| {
        has_finalizer(engine, labels::ENGINE_FINALIZER)
            && user(&claim).is_none_or(|user| user == engine.spec.user)
    });
    let is_needed = holder.is_some();
    if is_needed || claim.metadata.deletion_timestamp.is_none() {
        return Ok(());
    }
    let_go(client, writer, namespace, &key_names(&claim), Some(name)).await?;
    tracing::info!(
        namespace,
        claim = name,
        "let go of the claim of an engine that is gone"
    );
    Ok(())
}

/// The user whose brain a claim holds.
pub fn user(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.annotations().get(labels::USER).map(String::as_str)
}

/// Names of the key Secrets that a claim speaks of, as far as its annotations can be read: better one too many than
/// one that is held for ever.
pub fn key_names(claim: &PersistentVolumeClaim) -> Vec<String> {
    // By the claim's name, not by a label that anybody may take off.
    let claim_name = claim.name_any();
    let Some(engine) = engine_of_claim(&claim_name) else {
        return Vec::new();
    };
    let born = claim.annotations().get(labels::DATABASE_ID);
    let mut suffixes: Vec<_> = born.map(|id| key_suffix(id, INITIAL)).into_iter().collect();
    for suffix in record::suffixes(claim.annotations()) {
        if !suffixes.contains(&suffix) {
            suffixes.push(suffix);
        }
    }
    suffixes
        .iter()
        .map(|suffix| Names(engine).key(suffix))
        .collect()
}

/// Takes our finalizers off: first those of the keys, last that of the claim, which names them.
pub async fn let_go(
    client: &Client,
    writer: &Writer,
    namespace: &str,
    keys: &[String],
    claim: Option<&str>,
) -> Result<(), Error> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    for name in keys {
        if let Some(patch) = secrets
            .get_opt(name)
            .await?
            .and_then(|key| without(&key, labels::KEY_FINALIZER))
        {
            writer.patch::<Secret>("Secret", name, &patch).await?;
        }
    }
    let Some(name) = claim else { return Ok(()) };
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    if let Some(patch) = claims
        .get_opt(name)
        .await?
        .and_then(|claim| without(&claim, labels::CLAIM_FINALIZER))
    {
        writer
            .patch::<PersistentVolumeClaim>("PersistentVolumeClaim", name, &patch)
            .await?;
    }
    Ok(())
}

/// The patch that takes one finalizer off exactly this version of an object; `None` if it is not on.
fn without(object: &impl ResourceExt, ours: &str) -> Option<serde_json::Value> {
    has_finalizer(object, ours).then(|| {
        let others: Vec<_> = object.finalizers().iter().filter(|name| *name != ours).collect();
        json!({ "metadata": { "finalizers": others, "resourceVersion": object.resource_version() } })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::simulated::{failure, server};

    /// An API server that lets nobody read in any namespace, and says of every namespace whether it is there.
    fn forbidding(is_there: bool) -> Client {
        server(move |request| {
            let is_namespace = request.uri().path() == "/api/v1/namespaces/acme";
            std::future::ready(match (is_namespace, is_there) {
                (true, true) => (200, json!({ "metadata": { "name": "acme" } })),
                (true, false) => failure(404, "NotFound"),
                (false, _) => failure(403, "Forbidden"),
            })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_is_tried_for_until_its_namespace_is_gone() {
        let ends = async |is_there| {
            let client = forbidding(is_there);
            let (metrics, seen) = (Arc::new(Metrics::new().unwrap()), Arc::new(Seen::default()));
            let writer = Writer::new(client.clone(), "acme".to_owned(), metrics, seen);
            let turns = Semaphore::new(1);
            let tries = persist(&turns, &client, &writer, "acme", "alice-brain");
            timeout(Duration::from_hours(1), tries).await.is_ok()
        };
        assert!(!ends(true).await);
        assert!(ends(false).await);
    }

    #[test]
    fn a_claim_is_in_one_hand_at_a_time_and_nothing_that_is_shown_of_it_is_lost() {
        let hands = Hands::default();
        let claim = |name: &str| ("acme".to_owned(), name.to_owned());
        assert!(hands.take(&claim("alice-brain")));
        assert!(hands.take(&claim("bob-brain")), "each for itself");
        assert!(!hands.take(&claim("alice-brain")) && !hands.take(&claim("alice-brain")));
        assert!(!hands.are_done_with(&claim("alice-brain")), "shown again");
        assert!(hands.are_done_with(&claim("alice-brain")));
        assert!(hands.take(&claim("alice-brain")));
    }
}
