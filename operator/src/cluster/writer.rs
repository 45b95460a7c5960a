//! The only way to write to the API server: one field manager, every write counted.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions,
};
use kube::core::response::Status;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use userengine_api::labels::MANAGER;

use crate::metrics::Metrics;

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object changed, appeared or went away in between: look again.
    #[error("failed to write {kind} {name}: it changed in between")]
    Raced {
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The API server does not want it: quota, admission, validation or permission.
    #[error("failed to write {kind} {name}: the API server refused it: {message}")]
    Refused {
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The server's words.
        message: String,
    },
    /// The API server could not be asked, or failed.
    #[error("failed to write {kind} {name}")]
    Failed {
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Writes objects of one namespace.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    namespace: String,
    metrics: Arc<Metrics>,
}

impl Writer {
    /// A writer for this namespace.
    pub fn new(client: Client, namespace: String, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            namespace,
            metrics,
        }
    }

    fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an object that must not exist yet.
    pub async fn create(
        &self,
        resource: &ApiResource,
        kind: &'static str,
        object: &Value,
    ) -> Result<(), WriteError> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, resource);
        let name = object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let object: DynamicObject =
            serde_json::from_value(object.clone()).map_err(|error| WriteError::Failed {
                kind,
                name: name.clone(),
                source: Box::new(kube::Error::SerdeError(error)),
            })?;
        let parameters = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        self.metrics.wrote("create", kind);
        api.create(&parameters, &object)
            .await
            .map(drop)
            .map_err(|error| classify(kind, name, error))
    }

    /// Server-side apply onto exactly the object that was seen (<https://kubernetes.io/docs/reference/using-api/server-side-apply/>).
    pub async fn apply(
        &self,
        resource: &ApiResource,
        kind: &'static str,
        live: &DynamicObject,
        wanted: &Value,
    ) -> Result<(), WriteError> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, resource);
        let name = live.metadata.name.clone().unwrap_or_default();
        let raced = |error| classify(kind, name.clone(), error);
        if let Some(patch) = own_what_we_created(live) {
            self.metrics.wrote("patch", kind);
            api.patch(&name, &PatchParams::default(), &Patch::<()>::Json(patch))
                .await
                .map_err(raced)?;
        }
        let mut wanted = wanted.clone();
        if let Some(metadata) = wanted.get_mut("metadata").and_then(Value::as_object_mut) {
            // A uid in the body makes the server refuse with 409 if the object is another one by now.
            metadata.insert("uid".to_owned(), json!(live.metadata.uid));
        }
        self.metrics.wrote("apply", kind);
        api.patch(
            &name,
            &PatchParams::apply(MANAGER).force(),
            &Patch::Apply(&wanted),
        )
        .await
        .map(drop)
        .map_err(raced)
    }

    /// A merge patch.
    pub async fn patch<K>(
        &self,
        kind: &'static str,
        name: &str,
        patch: &Value,
    ) -> Result<(), WriteError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        self.metrics.wrote("patch", kind);
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let result = self
            .api::<K>()
            .patch(name, &parameters, &Patch::Merge(patch))
            .await;
        result
            .map(drop)
            .map_err(|error| classify(kind, name.to_owned(), error))
    }

    /// Adds a finalizer to those that an object of a built-in kind has: a strategic merge adds to that list.
    pub async fn add_finalizer<K>(
        &self,
        kind: &'static str,
        name: &str,
        finalizer: &str,
    ) -> Result<(), WriteError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        self.metrics.wrote("patch", kind);
        let patch = Patch::Strategic(json!({ "metadata": { "finalizers": [finalizer] } }));
        let result = self
            .api::<K>()
            .patch(name, &PatchParams::default(), &patch)
            .await;
        result
            .map(drop)
            .map_err(|error| classify(kind, name.to_owned(), error))
    }

    /// Applies a status: fields that are not in it go away.
    pub async fn apply_status<K>(
        &self,
        kind: &'static str,
        name: &str,
        object: &Value,
    ) -> Result<(), WriteError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        self.metrics.wrote("status", kind);
        let parameters = PatchParams::apply(MANAGER).force();
        let result = self
            .api::<K>()
            .patch_status(name, &parameters, &Patch::Apply(object))
            .await;
        result
            .map(drop)
            .map_err(|error| classify(kind, name.to_owned(), error))
    }

    /// Deletes exactly the object with this uid. One that is gone is deleted.
    pub async fn delete<K>(
        &self,
        kind: &'static str,
        name: &str,
        uid: Option<String>,
    ) -> Result<(), WriteError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        self.metrics.wrote("delete", kind);
        let parameters = DeleteParams::background().preconditions(Preconditions {
            uid,
            resource_version: None,
        });
        match self.api::<K>().delete(name, &parameters).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(classify(kind, name.to_owned(), error)),
        }
    }
}

/// What a POST wrote belongs to an `Update` of ours, and an apply of ours could never take any of it back.
/// Turns that entry into an `Apply`, as `kubectl` does when it moves to server-side apply.
fn own_what_we_created(live: &DynamicObject) -> Option<json_patch::Patch> {
    let is_post = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(MANAGER)
            && entry.operation.as_deref() == Some("Update")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let index = live
        .metadata
        .managed_fields
        .as_ref()?
        .iter()
        .position(is_post)?;
    let patch = json!([
        // Not a `test`, whose failure reads as a refusal: a resourceVersion makes the server answer 409.
        { "op": "replace", "path": "/metadata/resourceVersion", "value": live.metadata.resource_version },
        { "op": "replace", "path": format!("/metadata/managedFields/{index}/operation"), "value": "Apply" },
    ]);
    serde_json::from_value(patch).ok()
}

fn classify(kind: &'static str, name: String, error: kube::Error) -> WriteError {
    match error {
        kube::Error::Api(status) if raced(&status) => WriteError::Raced { kind, name },
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 405 | 413 | 422) => {
            WriteError::Refused {
                kind,
                name,
                message: status.message,
            }
        }
        other => WriteError::Failed {
            kind,
            name,
            source: Box::new(other),
        },
    }
}

fn raced(status: &Status) -> bool {
    status.is_conflict() || status.is_already_exists() || status.is_not_found()
}
