//! What is read of an object's metadata on its way in. Who wrote which field (`managedFields`) is the larger part of it, and of
//! no use here: it is passed over without being kept for a moment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use serde::Deserialize;

/// The metadata that [`super::mark`] makes a mark of, and the names that a watch needs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
    deletion_timestamp: Option<Time>,
    owner_references: Option<Vec<OwnerReference>>,
}

impl From<Metadata> for ObjectMeta {
    fn from(metadata: Metadata) -> Self {
        Self {
            name: metadata.name,
            namespace: metadata.namespace,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            generation: metadata.generation,
            labels: metadata.labels,
            annotations: metadata.annotations,
            finalizers: metadata.finalizers,
            deletion_timestamp: metadata.deletion_timestamp,
            owner_references: metadata.owner_references,
            ..Self::default()
        }
    }
}

/// A child as a watch shows it: the API server is asked for its metadata only.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Parts", bound = "")]
pub(super) struct ChildSketch<K> {
    /// See [`Metadata`].
    pub metadata: ObjectMeta,
    kind: PhantomData<fn() -> K>,
}

#[derive(Deserialize)]
struct Parts {
    metadata: Metadata,
}

impl<K> From<Parts> for ChildSketch<K> {
    fn from(parts: Parts) -> Self {
        Self {
            metadata: parts.metadata.into(),
            kind: PhantomData,
        }
    }
}

impl<K: Resource<DynamicType = ()>> Resource for ChildSketch<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn metadata_api() -> bool {
        true
    }

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;
    use crate::seen::Watched;
    use crate::seen::mark::mark;

    #[test]
    fn nothing_is_passed_over_that_a_mark_is_made_of() {
        let metadata = json!({
            "name": "alice-0", "namespace": "ns", "uid": "1", "resourceVersion": "7", "generation": 2, "generateName": "alice-",
            "labels": { "a": "b" }, "annotations": { "c": "d" }, "finalizers": ["e"], "selfLink": "x",
            "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{ "apiVersion": "v1", "kind": "X", "name": "alice", "uid": "2", "controller": true }],
            "managedFields": [{ "manager": "m", "operation": "Update", "fieldsV1": { "f:metadata": { "f:labels": {} } } }],
        });
        let whole: ObjectMeta = serde_json::from_value(metadata.clone()).unwrap();
        let object = json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata });
        let sketch: ChildSketch<Pod> = serde_json::from_value(object).unwrap();
        for kind in Watched::ALL {
            assert_eq!(mark(kind, &sketch.metadata), mark(kind, &whole));
        }
        let kept = ObjectMeta {
            managed_fields: None,
            generate_name: None,
            self_link: None,
            creation_timestamp: None,
            ..whole
        };
        assert_eq!(sketch.metadata, kept);
    }
}
