//! An emptied, swapped or foreign volume is never taken for a new brain.

use std::fs;

use anyhow::ensure;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::machine::volume_folder;
use userengine_e2e::trouble::{
    LOOK, container, ended_saying, is_back, is_running, is_told_once, is_told_once_since, says,
    times,
};
use userengine_e2e::{Brain, Engine, Namespace, eventually, holds, in_namespace};

async fn suspended(namespace: &Namespace, name: &str) -> anyhow::Result<Engine> {
    let engine = Engine::ready(namespace, name, name).await?;
    engine.change(json!({ "suspended": true })).await?;
    engine.wait_phase(Phase::Suspended).await?;
    Ok(engine)
}

/// Sees that the engine tells in time, and once more than before, what its process ended with.
async fn tells(engine: &Engine, reason: &str, before: i32) -> anyhow::Result<()> {
    let condition = says(engine, ("EngineAvailable", reason), || {
        container(engine, |it| ended_saying(it, reason))
    })
    .await?;
    assert!(!condition.message.is_empty());
    // It goes on ending meanwhile, and that is no news.
    is_told_once_since(engine, reason, before, 5).await
}

/// Resumes the engine and sees that it stays Blocked for `reason`; suspends it again.
async fn is_refused(engine: &Engine, reason: &str) -> anyhow::Result<()> {
    let before = times(engine, reason).await?;
    engine.change(json!({ "suspended": false })).await?;
    tells(engine, reason, before).await?;
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
        let before = times(&engine, "BrainMissing").await?;
        let next = Engine::create(&namespace, userengine_e2e::engine("alice", "alice")).await?;
        tells(&next, "BrainMissing", before).await
    })
    .await
}

#[tokio::test]
async fn a_brain_that_is_put_back_is_taken_by_the_engine_that_waits_for_it() -> anyhow::Result<()> {
    in_namespace("putback", |namespace| async move {
        let engine = suspended(&namespace, "alice").await?;
        let brain = Brain::mount(&engine).await?;
        let file = "/data/brain.sqlite";
        brain.run(&["cp", file, "/data/kept"]).await?;
        brain.run(&["rm", file]).await?;
        brain.unmount().await?;
        let before = times(&engine, "BrainMissing").await?;
        engine.change(json!({ "suspended": false })).await?;
        tells(&engine, "BrainMissing", before).await?;
        let pod = engine.pod_uid().await?;
        eventually("the next start to wait", 30, || async {
            let waits = container(&engine, |it| it.restart_count == 1 && is_running(it)).await?;
            Ok(waits.then_some(()))
        })
        .await?;
        let settled = engine.get().await?.resource_version();
        holds("it waits without a word", 15, || async {
            let waits = container(&engine, |it| it.restart_count == 1 && is_running(it)).await?;
            Ok(waits && engine.get().await?.resource_version() == settled)
        })
        .await?;
        // The volume is the engine's alone: it is mended where it lies.
        let folder = volume_folder(&namespace, "alice-brain").await?;
        fs::rename(folder.join("kept"), folder.join("brain.sqlite"))?;
        is_back(&engine).await?;
        ensure!(engine.pod_uid().await? == pod, "another pod");
        ensure!(
            container(&engine, |it| it.restart_count == 1).await?,
            "ended again"
        );
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
        engine.wait_rest().await?;
        let claims = namespace.api::<PersistentVolumeClaim>();
        claims
            .delete("alice-brain", &DeleteParams::default())
            .await?;
        let reason = "ClaimDeletionPending";
        let condition = says(&engine, ("StorageReady", reason), || async {
            let claim = claims.get("alice-brain").await?;
            Ok(claim.metadata.deletion_timestamp.is_some())
        })
        .await?;
        assert!(
            condition.message.contains("alice-brain"),
            "{}",
            condition.message
        );
        is_told_once(&engine, reason, LOOK).await?;
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
        says(&engine, ("StorageReady", "ClaimMissing"), || async {
            Ok(claims.get_opt("alice-brain").await?.is_none())
        })
        .await?;
        engine.change(json!({ "suspended": false })).await?;
        engine.wait_phase(Phase::Blocked).await?;
        is_told_once(&engine, "ClaimMissing", LOOK).await?;
        assert!(
            claims.get_opt("alice-brain").await?.is_none(),
            "an empty volume was claimed"
        );
        Ok(())
    })
    .await
}
