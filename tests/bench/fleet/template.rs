//! The children of the first engine, for the other operator to make the same.

use std::fs;
use std::path::Path;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, ObjectMeta};
use kube::core::Resource;
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::workspace;
use crate::by_hand::TEMPLATE;

/// Writes them as a JSON list.
pub async fn write(client: &Client, path: &Path) -> anyhow::Result<()> {
    let all = children(client, &workspace(0)).await?;
    let all: anyhow::Result<Vec<_>> = all
        .into_iter()
        .map(|(resource, object)| plain(object, &resource))
        .collect();
    fs::write(path, Value::from(all?).to_string())?;
    Ok(())
}

/// As they are.
pub async fn children(
    client: &Client,
    namespace: &str,
) -> anyhow::Result<Vec<(ApiResource, DynamicObject)>> {
    let mut all = Vec::new();
    for resource in [
        erased::<Secret>(),
        erased::<PersistentVolumeClaim>(),
        erased::<ServiceAccount>(),
        erased::<NetworkPolicy>(),
        erased::<ConfigMap>(),
        erased::<Service>(),
        erased::<StatefulSet>(),
    ] {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let found = api.list(&ListParams::default()).await?;
        let ours = found
            .into_iter()
            .filter(|object| object.name_any().starts_with(TEMPLATE));
        all.extend(ours.map(|object| (resource.clone(), object)));
    }
    Ok(all)
}

fn erased<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

/// What somebody would apply.
fn plain(mut object: DynamicObject, resource: &ApiResource) -> anyhow::Result<Value> {
    object.metadata = ObjectMeta {
        name: object.metadata.name,
        labels: object.metadata.labels,
        ..ObjectMeta::default()
    };
    let mut body = serde_json::to_value(object)?;
    let changes =
        json!({ "apiVersion": resource.api_version, "kind": resource.kind, "status": null });
    json_patch::merge(&mut body, &changes);
    if resource.kind == "Service" {
        // The address is each Service's own; a headless one has none.
        let headless = body.pointer("/spec/clusterIP") == Some(&json!("None"));
        let address = if headless { json!("None") } else { Value::Null };
        json_patch::merge(
            &mut body,
            &json!({ "spec": { "clusterIP": address, "clusterIPs": null } }),
        );
    }
    Ok(body)
}
