//! The same pod without an operator: the objects of a running engine, copied under another name.
//!
//! Copied and not written down here, so that both pods stay equal when the operator changes.

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::core::Resource;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use userengine_api::labels;
use userengine_api::layout::config_map;
use userengine_api::names::Names;
use userengine_e2e::Namespace;

/// The name of the engine whose objects are copied. Nothing else may contain this text.
pub const TEMPLATE: &str = "bench-template";

/// One object that a person would apply.
struct Object {
    resource: ApiResource,
    name: String,
    body: Value,
}

/// The objects, in the order in which a person would write them: what the pod needs comes before the pod.
pub struct ByHand(Vec<Object>);

impl ByHand {
    /// Copies the objects of the engine [`TEMPLATE`].
    pub async fn copy(namespace: &Namespace) -> anyhow::Result<Self> {
        let names = Names(TEMPLATE);
        let secrets = namespace
            .api::<Secret>()
            .list(&ListParams::default())
            .await?;
        let key = secrets
            .iter()
            .map(ResourceExt::name_any)
            .find(|name| name.starts_with(&format!("{TEMPLATE}-key-")))
            .context("the engine has no key Secret")?;
        Ok(Self(vec![
            copied::<PersistentVolumeClaim>(namespace, &names.claim()).await?,
            copied::<Secret>(namespace, &key).await?,
            copied::<Secret>(namespace, &names.api_key()).await?,
            copied::<ConfigMap>(namespace, &names.main()).await?,
            copied::<ConfigMap>(namespace, &names.catalog()).await?,
            copied::<Service>(namespace, &names.headless()).await?,
            copied::<StatefulSet>(namespace, &names.main()).await?,
        ]))
    }

    /// Creates all of them under this name, one request after the other.
    pub async fn create(&self, namespace: &Namespace, name: &str) -> anyhow::Result<()> {
        for Object { resource, body, .. } in &self.0 {
            let text = body.to_string().replace(TEMPLATE, name);
            let object: DynamicObject = serde_json::from_str(&text)?;
            api(namespace, resource)
                .create(&PostParams::default(), &object)
                .await
                .with_context(|| format!("failed to create {} {name}", resource.kind))?;
        }
        Ok(())
    }

    /// Requests and limits of the container, as JSON.
    pub fn resources(&self) -> String {
        let found = self.0.iter().find_map(|object| {
            object
                .body
                .pointer("/spec/template/spec/containers/0/resources")
        });
        found.map(Value::to_string).unwrap_or_default()
    }

    /// Deletes all of them, the pod's parent first; does not wait.
    pub async fn delete(&self, namespace: &Namespace, name: &str) -> anyhow::Result<()> {
        for Object {
            resource,
            name: named,
            ..
        } in self.0.iter().rev()
        {
            api(namespace, resource)
                .delete(&named.replace(TEMPLATE, name), &DeleteParams::background())
                .await
                .with_context(|| format!("failed to delete {} {name}", resource.kind))?;
        }
        Ok(())
    }
}

/// Objects of one kind in this namespace.
pub fn api(namespace: &Namespace, resource: &ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(namespace.client.clone(), &namespace.name, resource)
}

async fn copied<K: Resource<DynamicType = ()>>(
    namespace: &Namespace,
    name: &str,
) -> anyhow::Result<Object> {
    let resource = ApiResource::erase::<K>(&());
    let original = api(namespace, &resource)
        .get(name)
        .await
        .with_context(|| format!("failed to read {} {name}", resource.kind))?;
    Ok(Object {
        body: as_written_by_hand(original, &resource.kind)?,
        name: name.to_owned(),
        resource,
    })
}

/// Leaves what a person would write.
fn as_written_by_hand(mut object: DynamicObject, kind: &str) -> anyhow::Result<Value> {
    object.metadata = ObjectMeta {
        name: object.metadata.name,
        labels: object.metadata.labels,
        ..ObjectMeta::default()
    };
    let brain = format!("/data/{}", config_map::BRAIN);
    let changes = match kind {
        "PersistentVolumeClaim" => json!({ "spec": { "volumeName": null } }),
        "Service" => json!({ "spec": { "clusterIPs": null } }),
        // The operator has changed it, because the brain exists by now. The catalog is another one.
        "ConfigMap" if object.data.pointer(&brain).is_some() => {
            json!({ "data": { config_map::BRAIN: "create" } })
        }
        // An identity of its own belongs to what the operator does; neither has a token.
        "StatefulSet" => json!({ "spec": { "template": { "spec": {
            "serviceAccountName": "default",
            "serviceAccount": "default",
        } } } }),
        _ => json!({}),
    };
    let mut body = serde_json::to_value(object)?;
    json_patch::merge(&mut body, &changes);
    json_patch::merge(&mut body, &json!({ "status": null }));
    hidden_from_the_operator(&body)
}

/// Other values under the same labels: the operator looks at its own objects only.
fn hidden_from_the_operator(body: &Value) -> anyhow::Result<Value> {
    let text = body
        .to_string()
        .replace("userengine.dev/", "bench.example/")
        .replace(&format!("\"{}\"", labels::MANAGER), "\"bench\"");
    Ok(serde_json::from_str(&text)?)
}
