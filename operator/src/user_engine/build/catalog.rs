//! The engine's copy of the class's catalog.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Value, json};
use userengine_api::labels;

use super::Blueprint;
use crate::cluster::drift::STAMP;
use crate::user_engine::child::{Child, ChildId, ChildKind};
use crate::user_engine::observed::Observed;

/// A ConfigMap of its own, so that the whole of it can be mounted: a file that comes or goes then reaches a running engine,
/// and changes nothing of the pod. It is there even if the class has no catalog, for the same reason. `None`: nothing is
/// known to be better than what is there.
pub fn build(blueprint: &Blueprint<'_>) -> Option<Child> {
    let name = blueprint.names().catalog();
    let files = match &blueprint.handed.catalog {
        Some(files) => json!(files),
        None if blueprint.has(ChildKind::ConfigMap, &name) => return None,
        None => json!({}),
    };
    Some(blueprint.child(ChildKind::ConfigMap, name, "v1", json!({ "data": files })))
}

/// The patch that makes the kubelet look at its mounts now, if the pod may not have this catalog yet. A pod that was
/// created after its catalog was written has it, so one that starts costs no write.
pub fn nudge(observed: &Observed, catalog: &Child) -> Option<Value> {
    let pod = observed.pod.as_ref()?;
    let wanted = catalog
        .object
        .pointer("/metadata/annotations")?
        .get(STAMP)?
        .as_str()?;
    let told = pod.annotations().get(labels::CATALOG).map(String::as_str);
    let born_with_it = told.is_none() && written_before(observed, &catalog.id, wanted, pod);
    if told == Some(wanted) || born_with_it || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let annotations = json!({ labels::CATALOG: wanted });
    Some(annotate(pod, &annotations))
}

/// The patch that gives these annotations to exactly this version of a pod.
pub fn annotate(pod: &Pod, annotations: &Value) -> Value {
    json!({ "metadata": {
        "uid": pod.uid(), "resourceVersion": pod.resource_version(), "annotations": annotations,
    } })
}

fn written_before(observed: &Observed, id: &ChildId, wanted: &str, pod: &impl ResourceExt) -> bool {
    let Some(live) = observed.children.get(id) else {
        return false;
    };
    let same = live.annotations().get(STAMP).map(String::as_str) == Some(wanted);
    let ours = live
        .managed_fields()
        .iter()
        .filter(|entry| entry.manager.as_deref() == Some(labels::MANAGER));
    let written = ours.filter_map(|entry| entry.time.as_ref()).max();
    let created = pod.creation_timestamp();
    same && written
        .zip(created.as_ref())
        .is_some_and(|(written, created)| written <= created)
}
