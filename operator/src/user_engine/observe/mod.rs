//! One look at the cluster. Reads only, and Secrets only by name.

mod rotating;

pub use rotating::of_rotation;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{try_join_all, try_join5};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::api::DynamicObject;
use kube::{Api, ResourceExt};
use sha2::{Digest, Sha256};
use userengine_api::hex::hex;
use userengine_api::key::EncryptionKey;
use userengine_api::layout::secret;
use userengine_api::names::{INITIAL, Names, key_suffix};
use userengine_api::{UserEngine, labels};

use super::Context;
use super::child::{ChildId, ChildKind};
use super::observed::{ApiKeySecret, KeySecret, Observed};
use crate::cluster::ownership::{Ownership, ownership};
use crate::record::{Record, RecordError};

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
pub async fn observe(
    context: &Context,
    engine: &Arc<UserEngine>,
) -> Result<Option<Observed>, Error> {
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
    // After the StatefulSet: once that is known to make no more pods, the pods that are there are all there will be.
    let (rotating, proving) = eye.rotating(known).await?;
    let same = engine_now.filter(|now| now.uid() == engine.uid());
    Ok(same.map(|engine| Observed {
        engine: Arc::new(engine),
        classes: context.classes.state(),
        platform: context.platform.state(),
        claim,
        keys,
        api_key,
        children,
        pod,
        operator_namespace: context.operator_namespace.clone(),
        rotating,
        proving,
        proof: None,
        now: crate::clock::now(),
    }))
}

struct Eye<'a> {
    context: &'a Context,
    namespace: String,
    engine: &'a UserEngine,
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
        self.api().get_opt(&name).await.map_err(failed("the claim"))
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
                Ownership::Ours => ours(&found),
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
            Ok::<_, Error>(found.map(|found| (id, found)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn pod(&self) -> Result<Option<Pod>, Error> {
        let name = format!("{}-0", self.engine.name_any());
        let pod: Option<Pod> = self.api().get_opt(&name).await.map_err(failed("the pod"))?;
        Ok(pod.filter(|pod| pod.labels().get(labels::ENGINE) == Some(&self.engine.name_any())))
    }
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
        kid: EncryptionKey::parse(bytes.unwrap_or_default()).map(|key| key.kid()),
        database_id: found.annotations().get(labels::DATABASE_ID).cloned(),
        held: found
            .finalizers()
            .iter()
            .any(|name| name == labels::KEY_FINALIZER),
        terminating: found.metadata.deletion_timestamp.is_some(),
        on_hold: found
            .annotations()
            .keys()
            .any(|name| name.starts_with(labels::HOLD_PREFIX)),
        created_at: found.creation_timestamp().map(|time| time.0),
    }
}

fn ours(found: &Secret) -> ApiKeySecret {
    let text = |name: &str| {
        let bytes = &found.data.as_ref()?.get(name)?.0;
        String::from_utf8(bytes.clone()).ok()
    };
    let key = text(secret::API_KEY).filter(|key| !key.is_empty() && key.trim() == key);
    ApiKeySecret::Ours {
        key_hash: key.map(|key| api_key_hash(&key)),
        hashes: text(secret::API_KEY_HASHES).unwrap_or_default(),
        version: found.resource_version(),
    }
}

/// SHA-256 of an API key, in hex.
pub fn api_key_hash(key: &str) -> String {
    hex(&Sha256::digest(key))
}
