//! One look at the cluster. Reads only, and Secrets only by name.

mod events;
mod rotating;

pub use events::{PATIENCE, age};
pub use rotating::of_rotation;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{try_join_all, try_join5};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::api::DynamicObject;
use kube::{Api, ResourceExt};
use sha2::{Digest, Sha256};
use userengine_api::hex::hex;
use userengine_api::key::EncryptionKey;
use userengine_api::layout::secret;
use userengine_api::names::{INITIAL, Names, key_suffix};
use userengine_api::{UserEngine, labels};
use zeroize::Zeroizing;

use super::Context;
use super::api_key;
use super::child::{ChildId, ChildKind};
use super::observed::{ApiKeySecret, KeySecret, NextKey, Observed, OurApiKey};
use crate::cluster::has_finalizer;
use crate::cluster::ownership::{Ownership, ownership};
use crate::record::{Record, RecordError};
use crate::seen::{EngineName, EngineSketch};

/// The API server could not be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read {what}")]
pub struct Error {
    what: &'static str,
    #[source]
    source: kube::Error,
}

fn failed(what: &'static str) -> impl FnOnce(kube::Error) -> Error {
    move |source| Error { what, source }
}

/// Reads everything that a decision about `engine` may depend on; `None` if it is gone, or another one by now.
pub async fn observe(context: &Context, engine: &EngineSketch) -> Result<Option<Observed>, Error> {
    let eye = Eye {
        context,
        namespace: engine.namespace().unwrap_or_default(),
        engine,
    };
    // The record first: a decision about what it says needs what was so afterwards.
    let claim = eye.claim().await?;
    let record = claim
        .as_ref()
        .map(|claim| Record::parse(claim.annotations()));
    let known = record.as_ref().and_then(|record| record.as_ref().ok());
    let (keys, api_key, children, pod, engine_now) = try_join5(
        eye.keys(record.as_ref()),
        eye.api_key(),
        eye.children(known),
        eye.pod(),
        eye.engine_now(),
    )
    .await?;
    let Some(engine) = engine_now.filter(|now| now.uid() == engine.uid()) else {
        return Ok(None);
    };
    // After the StatefulSet: once that is known to make no more pods, the pods that are there are all there will be.
    let (rotating, proving) = eye.rotating(&engine, known).await?;
    let mut observed = Observed {
        refused_growth: context.growths.of(&EngineName::of(&engine).to_string()),
        engine: Arc::new(engine),
        classes: context.classes.state(),
        platform: context.platform.state(),
        claim,
        keys,
        api_key,
        children,
        pod,
        events: Vec::new(),
        bounds: None,
        found: false,
        operator_namespace: context.operator_namespace.clone(),
        rotating,
        proving,
        proof: None,
        waits_behind: None,
        now: crate::clock::now(),
    };
    let pod = observed.pod.take();
    let set = observed.runs_from();
    observed.pod = pod.filter(|pod| is_engines(pod, set));
    eye.troubles(&mut observed).await?;
    Ok(Some(observed))
}

struct Eye<'a> {
    context: &'a Context,
    namespace: String,
    engine: &'a EngineSketch,
}

impl Eye<'_> {
    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.context.client.clone(), &self.namespace)
    }

    /// The engine as it is now: what the watch gave may be older than our own last write.
    async fn engine_now(&self) -> Result<Option<UserEngine>, Error> {
        self.api()
            .get_opt(&self.engine.name_any())
            .await
            .map_err(failed("the UserEngine"))
    }

    async fn claim(&self) -> Result<Option<PersistentVolumeClaim>, Error> {
        let name = Names(&self.engine.name_any()).claim();
        let found = self.api().get_opt(&name).await;
        let found: Option<PersistentVolumeClaim> = found.map_err(failed("the claim"))?;
        self.has_read("PersistentVolumeClaim", found.as_ref());
        Ok(found)
    }

    /// What is read may be newer than what the watches have shown.
    fn has_read(&self, kind: &str, found: Option<&impl ResourceExt>) {
        if let Some(found) = found {
            self.context.seen.read(kind, found.meta());
        }
    }

    async fn keys(
        &self,
        record: Option<&Result<Record, RecordError>>,
    ) -> Result<BTreeMap<String, KeySecret>, Error> {
        let name = self.engine.name_any();
        let suffixes = match record {
            None => vec![key_suffix(&self.engine.uid().unwrap_or_default(), INITIAL)],
            Some(record) => record.iter().flat_map(Record::suffixes).collect(),
        };
        let secrets: Api<Secret> = self.api();
        let keys = try_join_all(suffixes.into_iter().map(|suffix| async {
            let found = secrets
                .get_opt(&Names(&name).key(&suffix))
                .await
                .map_err(failed("a key Secret"))?;
            Ok::<_, Error>((suffix, found.as_ref().map_or(KeySecret::Absent, key_secret)))
        }));
        Ok(keys.await?.into_iter().collect())
    }

    async fn api_key(&self) -> Result<ApiKeySecret, Error> {
        let name = self.engine.name_any();
        let found: Option<Secret> = self
            .api()
            .get_opt(&Names(&name).api_key())
            .await
            .map_err(failed("the API-key Secret"))?;
        Ok(found.map_or(ApiKeySecret::Absent, |found| {
            match ownership(
                &found.metadata,
                &name,
                &self.engine.uid().unwrap_or_default(),
            ) {
                Ownership::Foreign => ApiKeySecret::Foreign,
                Ownership::Former => ApiKeySecret::Former,
                Ownership::Ours => ours(found),
            }
        }))
    }

    async fn children(
        &self,
        record: Option<&Record>,
    ) -> Result<BTreeMap<ChildId, DynamicObject>, Error> {
        let name = self.engine.name_any();
        let names = Names(&name);
        let ids = ChildKind::ALL.into_iter().map(|kind| ChildId {
            kind,
            name: names.main(),
        });
        let ids = ids.chain([
            ChildId {
                kind: ChildKind::Service,
                name: names.headless(),
            },
            ChildId {
                kind: ChildKind::ConfigMap,
                name: names.catalog(),
            },
        ]);
        let walls = record.and_then(|record| record.ledger.open.as_ref());
        let ids = ids.chain(walls.map(|_| ChildId {
            kind: ChildKind::NetworkPolicy,
            name: names.rotation(),
        }));
        let found = try_join_all(ids.map(|id| async {
            let api: Api<DynamicObject> = Api::namespaced_with(
                self.context.client.clone(),
                &self.namespace,
                &id.kind.resource(),
            );
            let found = api
                .get_opt(&id.name)
                .await
                .map_err(failed(id.kind.as_str()))?;
            self.has_read(id.kind.as_str(), found.as_ref());
            Ok::<_, Error>(found.map(|found| (id, found)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn pod(&self) -> Result<Option<Pod>, Error> {
        let name = Names(&self.engine.name_any()).pod();
        let pod: Option<Pod> = self.api().get_opt(&name).await.map_err(failed("the pod"))?;
        self.has_read("Pod", pod.as_ref());
        Ok(pod.filter(|pod| pod.labels().get(labels::ENGINE) == Some(&self.engine.name_any())))
    }
}

/// The pod is of the engine's own StatefulSet, or about to go. One of a former engine's serves until the garbage collector
/// comes, and says nothing of this engine.
fn is_engines(pod: &Pod, set: Option<&str>) -> bool {
    let owner = pod
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true));
    let owner = owner.map(|owner| owner.uid.as_str());
    pod.metadata.deletion_timestamp.is_some() || owner.is_some() && owner == set
}

/// Our finalizer is on it.
pub fn is_held(key: &Secret) -> bool {
    has_finalizer(key, labels::KEY_FINALIZER)
}

/// A backup needs it.
pub fn is_on_hold(key: &Secret) -> bool {
    let mut names = key.annotations().keys();
    names.any(|name| name.starts_with(labels::HOLD_PREFIX))
}

/// What a decision needs of a key Secret. The key itself goes no further than this.
fn key_secret(found: &Secret) -> KeySecret {
    let bytes = found
        .data
        .as_ref()
        .and_then(|data| data.get(secret::KEY))
        .map(|bytes| bytes.0.as_slice());
    KeySecret::Present {
        uid: found.uid(),
        version: found.resource_version(),
        kid: EncryptionKey::parse(bytes.unwrap_or_default()).map(|key| key.kid()),
        database_id: found.annotations().get(labels::DATABASE_ID).cloned(),
        held: is_held(found),
        terminating: found.metadata.deletion_timestamp.is_some(),
        on_hold: is_on_hold(found),
        created_at: found.creation_timestamp().map(|time| time.0),
    }
}

/// The line feed that a key gets which somebody writes into a file or pipes is none of it: no header could carry it.
pub(super) fn ours(found: Secret) -> ApiKeySecret {
    let version = found.resource_version();
    let record = api_key::Record::parse(found.annotations());
    let texts = found.data.unwrap_or_default().into_iter().map(text);
    let texts: BTreeMap<_, _> = texts.collect();
    let usable = |key: &Zeroizing<String>| {
        (!key.trim().is_empty()).then(|| Zeroizing::new(key.trim().to_owned()))
    };
    let next = texts.get(secret::NEXT_API_KEY).and_then(usable);
    let key = texts.get(secret::API_KEY).and_then(usable);
    ApiKeySecret::Ours(Box::new(OurApiKey {
        key_hash: key.map(|key| api_key_hash(&key)),
        next: next.map(|key| NextKey {
            hash: api_key_hash(&key),
            key,
        }),
        hashes: texts
            .get(secret::API_KEY_HASHES)
            .map_or_else(String::new, |hashes| hashes.to_string()),
        record,
        version,
    }))
}

/// An entry of a Secret, wiped on drop. One that is no text is as good as empty.
fn text((name, ByteString(bytes)): (String, ByteString)) -> (String, Zeroizing<String>) {
    let text = String::from_utf8(bytes).unwrap_or_else(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        String::new()
    });
    (name, Zeroizing::new(text))
}

/// SHA-256 of an API key, in hex.
pub fn api_key_hash(key: &str) -> String {
    hex(&Sha256::digest(key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(metadata: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    #[test]
    fn the_pod_of_a_former_engine_is_not_this_ones_until_it_goes() {
        let owner = json!([{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "alice", "uid": "2", "controller": true }]);
        let serving = pod(&json!({ "ownerReferences": owner }));
        assert!(is_engines(&serving, Some("2")));
        assert!(!is_engines(&serving, Some("3")) && !is_engines(&serving, None));
        assert!(
            !is_engines(&pod(&json!({})), None),
            "somebody made it by hand"
        );
        let going =
            json!({ "ownerReferences": owner, "deletionTimestamp": "1970-01-01T00:00:00Z" });
        assert!(is_engines(&pod(&going), Some("3")));
    }
}
