//! An operator that dies in the middle of a rotation finds it again where it stands.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, SYSTEM, eventually, in_namespace};

async fn scale(client: &kube::Client, replicas: i32) -> anyhow::Result<()> {
    let operators: Api<Deployment> = Api::namespaced(client.clone(), SYSTEM);
    let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    operators
        .patch("userengine", &PatchParams::default(), &patch)
        .await?;
    eventually(&format!("{replicas} operators"), 60, || async {
        let status = operators.get("userengine").await?.status;
        let running = status
            .and_then(|status| status.replicas)
            .unwrap_or_default();
        Ok((running == replicas).then_some(()))
    })
    .await
}

#[tokio::test]
async fn alone_a_rotation_goes_on_when_the_operator_is_back() -> anyhow::Result<()> {
    in_namespace("orphaned", |namespace| async move {
        let client = namespace.client.clone();
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        let stopped = eventually("the engine to be stopped for it", 60, || async {
            let phase = engine.get().await?.status.and_then(|status| status.phase);
            Ok((phase == Some(Phase::Rotating)).then_some(()))
        })
        .await;
        let away = scale(&client, 0).await;
        let back = scale(&client, 1).await;
        stopped.and(away).and(back)?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        assert_eq!(engine.keys().await?.len(), 2, "a third key was made");
        Ok(())
    })
    .await
}
