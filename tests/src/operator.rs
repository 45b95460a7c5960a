//! The operator's own pods.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::{SYSTEM, eventually, is_ready};

/// Finds the pods of the operator.
pub const OPERATORS: &str = "app.kubernetes.io/name=userengine-operator";

/// The pods of the operator.
pub async fn operators(client: &kube::Client) -> anyhow::Result<Vec<Pod>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    let ours = ListParams::default().labels(OPERATORS);
    Ok(pods.list(&ours).await?.items)
}

/// Waits for this many operators, all of them ready.
pub async fn wait_for_operators(client: &kube::Client, count: usize) -> anyhow::Result<()> {
    eventually(&format!("{count} operators"), 60, || async {
        let all = operators(client).await?;
        Ok((all.len() == count && all.iter().all(is_ready)).then_some(()))
    })
    .await
}

/// Asks for this many operators, and waits for none.
pub async fn scale_operators(client: &kube::Client, count: usize) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), SYSTEM);
    let patch = Patch::Merge(json!({ "spec": { "replicas": count } }));
    deployments
        .patch("userengine", &PatchParams::default(), &patch)
        .await?;
    Ok(())
}
