//! An emptied, swapped or foreign volume is never taken for a new brain.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::api::DeleteParams;
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::{Brain, Engine, Namespace, in_namespace};

async fn suspended(namespace: &Namespace, name: &str) -> anyhow::Result<Engine> {
    let engine = Engine::ready(namespace, name, name).await?;
    engine.change(json!({ "suspended": true })).await?;
    engine.wait_phase(Phase::Suspended).await?;
    Ok(engine)
}

/// Resumes the engine and sees that it stays Blocked for `reason`; suspends it again.
async fn is_refused(engine: &Engine, reason: &str) -> anyhow::Result<()> {
    engine.change(json!({ "suspended": false })).await?;
    let condition = engine.wait_reason("EngineAvailable", reason).await?;
    assert!(!condition.message.is_empty());
    engine.wait_phase(Phase::Blocked).await?;
    engine.change(json!({ "suspended": true })).await?;
    engine.wait_phase(Phase::Suspended).await?;
    Ok(())
}

#[tokio::test]
async fn an_emptied_volume_is_a_missing_brain_and_stays_empty() -> anyhow::Result<()> {
    in_namespace("emptied", |namespace| async move {
        let engine = suspended(&namespace, "alice").await?;
        let brain = Brain::mount(&engine).await?;
        brain
            .run(&["rm", "/data/brain.sqlite", "/data/brain.sqlite.lock"])
            .await?;
        let before = brain.sum().await?;
        brain.unmount().await?;
        is_refused(&engine, "BrainMissing").await?;
        // The status remembers the brain when its settings are gone as well.
        let settings = namespace.api::<ConfigMap>();
        settings.delete("alice", &DeleteParams::default()).await?;
        is_refused(&engine, "BrainMissing").await?;
        let brain = Brain::mount(&engine).await?;
        assert_eq!(brain.sum().await?, before, "the volume was touched");
        brain.unmount().await?;
        // And when the engine is gone, its claim speaks for it.
        engine.delete().await?;
        let next = Engine::create(&namespace, userengine_e2e::engine("alice", "alice")).await?;
        next.wait_reason("EngineAvailable", "BrainMissing").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_brain_of_another_engine_is_refused_and_left_as_it_is() -> anyhow::Result<()> {
    in_namespace("swapped", |namespace| async move {
        let alice = suspended(&namespace, "alice").await?;
        let bob = suspended(&namespace, "bob").await?;
        let both = Brain::mount_two(&alice, &bob).await?;
        both.run(&["cp", "/data2/brain.sqlite", "/data/brain.sqlite"])
            .await?;
        let before = both.sum().await?;
        both.unmount().await?;
        is_refused(&alice, "BrainForeign").await?;
        let brain = Brain::mount(&alice).await?;
        assert_eq!(brain.sum().await?, before, "the volume was touched");
        // A file that is no brain at all.
        brain.run(&["write", "/data/brain.sqlite", "8192"]).await?;
        let before = brain.sum().await?;
        brain.unmount().await?;
        is_refused(&alice, "BrainForeign").await?;
        assert_eq!(
            Brain::mount(&alice).await?.sum().await?,
            before,
            "the volume was touched"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_claim_that_is_being_deleted_is_kept_and_reported() -> anyhow::Result<()> {
    in_namespace("claimgoing", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        namespace
            .api::<PersistentVolumeClaim>()
            .delete("alice-brain", &DeleteParams::default())
            .await?;
        let condition = engine
            .wait_reason("StorageReady", "ClaimDeletionPending")
            .await?;
        assert!(
            condition.message.contains("alice-brain"),
            "{}",
            condition.message
        );
        assert!(
            engine.pod().await?.is_some(),
            "the running engine was disturbed"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_claim_that_was_torn_away_is_not_replaced_by_an_empty_one() -> anyhow::Result<()> {
    in_namespace("claimgone", |namespace| async move {
        let engine = suspended(&namespace, "alice").await?;
        let claims = namespace.api::<PersistentVolumeClaim>();
        claims
            .delete("alice-brain", &DeleteParams::default())
            .await?;
        namespace
            .merge::<PersistentVolumeClaim>(
                "alice-brain",
                json!({ "metadata": { "finalizers": null } }),
            )
            .await?;
        engine.wait_reason("StorageReady", "ClaimMissing").await?;
        engine.change(json!({ "suspended": false })).await?;
        engine.wait_phase(Phase::Blocked).await?;
        assert!(
            claims.get_opt("alice-brain").await?.is_none(),
            "an empty volume was claimed"
        );
        Ok(())
    })
    .await
}
