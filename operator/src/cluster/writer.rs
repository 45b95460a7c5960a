//! The only way to write to the API server: one field manager, every write counted.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions,
};
use kube::core::response::Status;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use userengine_api::labels::{DOMAIN, MANAGER};

use crate::metrics::Metrics;
use crate::seen::Seen;

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
    seen: Arc<Seen>,
}

impl Writer {
    /// A writer for this namespace.
    pub fn new(client: Client, namespace: String, metrics: Arc<Metrics>, seen: Arc<Seen>) -> Self {
        Self {
            client,
            namespace,
            metrics,
            seen,
        }
    }

    /// What the API server answered: it is how things are from now on.
    fn outcome<K: Resource>(
        &self,
        kind: &'static str,
        name: &str,
        result: kube::Result<K>,
    ) -> Result<(), WriteError> {
        let object = result.map_err(|error| classify(kind, name.to_owned(), error))?;
        self.seen.wrote(kind, object.meta());
        Ok(())
    }

    fn api<K: Kind>(&self) -> Api<K> {
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
        let object = parse(kind, &name, object)?;
        self.metrics.wrote("create", kind);
        self.outcome(kind, &name, api.create(&ours(), &object).await)
    }

    /// Replaces exactly the version that was seen. What others put into labels, annotations and finalizers stays;
    /// everything else becomes what is wanted, and what is not in it the server's default. Annotations of ours that are not
    /// wanted any more go.
    pub async fn replace(
        &self,
        resource: &ApiResource,
        kind: &'static str,
        live: &DynamicObject,
        wanted: &Value,
    ) -> Result<(), WriteError> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, resource);
        let name = live.name_any();
        let mut object = parse(kind, &name, wanted)?;
        let wanted = std::mem::take(&mut object.metadata);
        object.metadata = live.metadata.clone();
        object.metadata.managed_fields = None;
        object.metadata.owner_references = wanted.owner_references;
        object
            .labels_mut()
            .extend(wanted.labels.unwrap_or_default());
        let annotations = object.annotations_mut();
        annotations.retain(|name, _| !name.starts_with(DOMAIN));
        annotations.extend(wanted.annotations.unwrap_or_default());
        self.metrics.wrote("replace", kind);
        self.outcome(kind, &name, api.replace(&name, &ours(), &object).await)
    }

    /// A merge patch.
    pub async fn patch<K: Kind>(
        &self,
        kind: &'static str,
        name: &str,
        patch: &Value,
    ) -> Result<(), WriteError> {
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.metrics.wrote("patch", kind);
        let patched = self
            .api::<K>()
            .patch(name, &parameters, &Patch::Merge(patch))
            .await;
        self.outcome(kind, name, patched)
    }

    /// Adds a finalizer to those that exactly this version of an object of a built-in kind has: a strategic merge adds to that
    /// list.
    pub async fn add_finalizer<K: Kind>(
        &self,
        kind: &'static str,
        name: &str,
        version: Option<&str>,
        finalizer: &str,
    ) -> Result<(), WriteError> {
        let patch = Patch::Strategic(
            json!({ "metadata": { "resourceVersion": version, "finalizers": [finalizer] } }),
        );
        self.metrics.wrote("patch", kind);
        let patched = self
            .api::<K>()
            .patch(name, &PatchParams::default(), &patch)
            .await;
        self.outcome(kind, name, patched)
    }

    /// Takes one finalizer off exactly the object with this uid; those of others stay.
    pub async fn remove_finalizer<K: Kind>(
        &self,
        kind: &'static str,
        name: &str,
        uid: Option<&str>,
        finalizer: &str,
    ) -> Result<(), WriteError> {
        let patch = Patch::Strategic(
            json!({ "metadata": { "uid": uid, "$deleteFromPrimitiveList/finalizers": [finalizer] } }),
        );
        self.metrics.wrote("patch", kind);
        let patched = self
            .api::<K>()
            .patch(name, &PatchParams::default(), &patch)
            .await;
        self.outcome(kind, name, patched)
    }

    /// Applies a status: fields that are not in it go away.
    pub async fn apply_status<K: Kind>(
        &self,
        kind: &'static str,
        name: &str,
        object: &Value,
    ) -> Result<(), WriteError> {
        let parameters = PatchParams::apply(MANAGER).force();
        self.metrics.wrote("status", kind);
        let applied = self
            .api::<K>()
            .patch_status(name, &parameters, &Patch::Apply(object))
            .await;
        self.outcome(kind, name, applied)
    }

    /// Deletes exactly the object with this uid. One that is gone is deleted.
    pub async fn delete<K: Kind>(
        &self,
        kind: &'static str,
        name: &str,
        uid: Option<String>,
    ) -> Result<(), WriteError> {
        self.delete_seen::<K>(kind, name, uid, None).await
    }

    /// The same, and in this version only, if one is given: what changed since may have come to be well.
    pub async fn delete_seen<K: Kind>(
        &self,
        kind: &'static str,
        name: &str,
        uid: Option<String>,
        version: Option<String>,
    ) -> Result<(), WriteError> {
        let which = Preconditions {
            uid,
            resource_version: version,
        };
        self.delete_by::<K>(DeleteParams::background(), kind, name, which)
            .await
    }

    /// The same, and what the object owns goes first: it is there for as long as anything of it is.
    pub async fn delete_foreground<K: Kind>(
        &self,
        kind: &'static str,
        name: &str,
        uid: Option<String>,
    ) -> Result<(), WriteError> {
        let which = Preconditions {
            uid,
            resource_version: None,
        };
        self.delete_by::<K>(DeleteParams::foreground(), kind, name, which)
            .await
    }

    async fn delete_by<K: Kind>(
        &self,
        how: DeleteParams,
        kind: &'static str,
        name: &str,
        which: Preconditions,
    ) -> Result<(), WriteError> {
        let parameters = how.preconditions(which);
        self.metrics.wrote("delete", kind);
        match self.api::<K>().delete(name, &parameters).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            deleted => deleted
                .map(drop)
                .map_err(|error| classify(kind, name.to_owned(), error)),
        }
    }
}

/// A kind whose objects live in a namespace.
pub trait Kind:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug
{
}

impl<K> Kind for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
{
}

/// How everything of ours is created and replaced.
pub fn ours() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn parse(kind: &'static str, name: &str, object: &Value) -> Result<DynamicObject, WriteError> {
    serde_json::from_value(object.clone()).map_err(|error| WriteError::Failed {
        kind,
        name: name.to_owned(),
        source: Box::new(kube::Error::SerdeError(error)),
    })
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
