//! A node that does not answer: the engines on it may run or not, so nothing is started beside them.

use anyhow::ensure;
use k8s_openapi::api::batch::v1::Job;
use kube::api::ListParams;
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::machine::{start_component, stop_component};
use userengine_e2e::trouble::{is_back, is_told_once, says};
use userengine_e2e::{Engine, eventually, in_namespace, is_ready, wait_for_operators};

#[tokio::test]
async fn alone_a_rotation_waits_for_a_node_that_does_not_answer_and_then_goes_on()
-> anyhow::Result<()> {
    in_namespace("lost", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let quiet = Engine::ready(&namespace, "bob", "bob").await?;
        let before = quiet.pod_uid().await?;
        stop_component("kubelet").await?;
        let stuck = stuck(&engine, &quiet).await;
        // Whatever came of it: the others need a node.
        start_component("kubelet").await?;
        stuck?;
        is_back(&quiet).await?;
        let same = quiet.pod_uid().await?;
        ensure!(same == before, "one that ran all the while was made anew");
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        wait_for_operators(&namespace.client, 1).await
    })
    .await
}

async fn stuck(engine: &Engine, quiet: &Engine) -> anyhow::Result<()> {
    engine.rotate(json!({ "id": "r-1" })).await?;
    let condition = says(quiet, ("EngineAvailable", "NodeUnreachable"), || async {
        Ok(quiet.pod().await?.is_some_and(|pod| !is_ready(&pod)))
    })
    .await?;
    ensure!(condition.message.contains("node"), "{}", condition.message);
    // The class's grace of 10 s, and the minute after which nobody expects an answer any more.
    let seen = eventually("the engine to be blocked by its node", 150, || async {
        let engine = engine.get().await?;
        let status = engine.status.unwrap_or_default();
        Ok((status.phase == Some(Phase::Blocked)).then_some(status))
    })
    .await?;
    for kind in ["Ready", "EncryptionUpToDate"] {
        let said = seen.conditions.iter().find(|it| it.type_ == kind);
        ensure!(
            said.is_some_and(|it| it.reason == "NodeUnreachable"),
            "{kind}: {said:?}"
        );
    }
    let jobs = engine.namespace.api::<Job>();
    let jobs = jobs.list(&ListParams::default()).await?;
    ensure!(jobs.items.is_empty(), "something was started beside it");
    is_told_once(quiet, "NodeUnreachable", 5).await
}
