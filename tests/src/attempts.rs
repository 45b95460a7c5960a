//! Writes that are tried with the operator's account and come to nothing: dry runs, which admission judges like others.

use std::fmt::Debug;

use anyhow::{Context as _, ensure};
use k8s_openapi::NamespaceResourceScope;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::Resource;
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use crate::{Namespace, SYSTEM};

/// The operator's account.
pub fn account() -> String {
    format!("system:serviceaccount:{SYSTEM}:userengine")
}

/// A client with the operator's rights and no others.
pub async fn as_operator() -> anyhow::Result<Client> {
    let mut config = Config::infer().await?;
    config.auth_info.impersonate = Some(account());
    Ok(Client::try_from(config)?)
}

/// What is tried.
#[derive(Debug, Clone)]
pub enum Write {
    /// To create the object, with this JSON patch.
    Create(Value),
    /// To replace the object, with this JSON patch.
    Replace(Value),
    /// To merge this into the object.
    Merge(Value),
    /// To merge this into the object, and into its lists by the names in them.
    Strategic(Value),
    /// To delete it.
    Delete,
}

/// What may be tried with one object.
pub struct Attempts {
    api: Api<DynamicObject>,
    object: Value,
}

impl Attempts {
    /// The object of this kind and name, as it is.
    pub async fn on<K>(namespace: &Namespace, name: &str) -> anyhow::Result<Self>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        let kind = ApiResource::erase::<K>(&());
        let found: Api<DynamicObject> =
            Api::namespaced_with(namespace.client.clone(), &namespace.name, &kind);
        Self::with::<K>(namespace, serde_json::to_value(found.get(name).await?)?).await
    }

    /// An object of this kind, whether it is there or not.
    pub async fn with<K>(namespace: &Namespace, mut object: Value) -> anyhow::Result<Self>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for mark in ["uid", "resourceVersion", "managedFields"] {
                metadata.remove(mark);
            }
        }
        let kind = ApiResource::erase::<K>(&());
        let api = Api::namespaced_with(as_operator().await?, &namespace.name, &kind);
        Ok(Self { api, object })
    }

    /// It is the operator's to do.
    pub async fn passes(&self, write: Write) -> anyhow::Result<()> {
        let what = format!("{write:?}");
        self.tried(write).await.context(what)
    }

    /// The policy refuses it, in these words.
    pub async fn refused(&self, write: Write, words: &str) -> anyhow::Result<()> {
        let what = format!("{write:?}");
        let said = self.tried(write).await.err();
        let said = said.with_context(|| format!("it was let through: {what}"))?;
        let said = format!("{said:#}");
        ensure!(
            said.contains("ValidatingAdmissionPolicy") && said.contains(words),
            "{what}: {said}"
        );
        Ok(())
    }

    async fn tried(&self, write: Write) -> anyhow::Result<()> {
        let name = self.object.pointer("/metadata/name");
        let name = name.and_then(Value::as_str).context("no name")?;
        let post = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let patch = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let delete = DeleteParams {
            dry_run: true,
            ..DeleteParams::default()
        };
        match write {
            Write::Create(changes) => {
                drop(self.api.create(&post, &self.changed(changes)?).await?);
            }
            Write::Replace(changes) => {
                drop(
                    self.api
                        .replace(name, &post, &self.changed(changes)?)
                        .await?,
                );
            }
            Write::Merge(changes) => {
                drop(self.api.patch(name, &patch, &Patch::Merge(changes)).await?);
            }
            Write::Strategic(changes) => {
                let changes = Patch::Strategic(changes);
                drop(self.api.patch(name, &patch, &changes).await?);
            }
            Write::Delete => drop(self.api.delete(name, &delete).await?),
        }
        Ok(())
    }

    fn changed(&self, changes: Value) -> anyhow::Result<DynamicObject> {
        let mut object = self.object.clone();
        let changes: json_patch::Patch = serde_json::from_value(changes)?;
        json_patch::patch(&mut object, &changes)?;
        Ok(serde_json::from_value(object)?)
    }
}

/// One step of a JSON patch that sets what is there already, or adds to a list if the path ends in `/-`.
pub fn set(path: &str, value: impl Into<Value>) -> Value {
    json!([{ "op": "add", "path": path, "value": value.into() }])
}
