//! A pause: the operator changes nothing of an engine, says so, and takes up where it stopped.

use anyhow::ensure;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Service};
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio::process::Command;
use userengine_api::status::Phase;
use userengine_api::{UserEngine, labels};
use userengine_e2e::trouble::counts;
use userengine_e2e::{Engine, eventually, holds, in_namespace, is_ready};

async fn annotate(engine: &Engine, value: Value) -> anyhow::Result<()> {
    let note = json!({ "metadata": { "annotations": { labels::PAUSED: value } } });
    let engines = &engine.namespace;
    engines.merge::<UserEngine>(&engine.name, note).await?;
    Ok(())
}

async fn pause(engine: &Engine) -> anyhow::Result<()> {
    annotate(engine, json!("true")).await?;
    let said = engine.wait_reason("Paused", "Paused").await?;
    ensure!(said.status == "True", "{said:?}");
    Ok(())
}

/// What the operator writes of the StatefulSet, whose controller writes as well, and the version of the claim.
async fn versions(engine: &Engine) -> anyhow::Result<Value> {
    let sets = engine.namespace.api::<StatefulSet>();
    let claims = engine.namespace.api::<PersistentVolumeClaim>();
    let set = sets.get(&engine.name).await?.metadata;
    let claim = claims.get(&format!("{}-brain", engine.name)).await?;
    let of_set = json!([set.uid, set.generation, set.labels, set.annotations]);
    Ok(json!([of_set, claim.resource_version()]))
}

#[tokio::test]
async fn nothing_is_changed_while_it_lasts_and_all_is_made_good_afterwards() -> anyhow::Result<()> {
    in_namespace("pause", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        pause(&engine).await?;
        let before = versions(&engine).await?;
        engine.change(json!({ "suspended": true })).await?;
        let services = namespace.api::<Service>();
        services.delete("alice", &DeleteParams::default()).await?;
        holds("a pause changes nothing", 5, || async {
            let is_gone = services.get_opt("alice").await?.is_none();
            let pod = engine.pod().await?;
            Ok(
                is_gone
                    && versions(&engine).await? == before
                    && pod.is_some_and(|it| is_ready(&it)),
            )
        })
        .await?;
        let status = engine.get().await?;
        let acted_on = status.status.and_then(|it| it.observed_generation);
        ensure!(acted_on < status.metadata.generation, "it was not acted on");
        let wide = Command::new("kubectl")
            .args(["-n", &namespace.name, "get", "ue", "alice", "-o", "wide"])
            .output()
            .await?;
        let wide = String::from_utf8(wide.stdout)?;
        ensure!(wide.contains("PAUSED"), "{wide}");

        annotate(&engine, Value::Null).await?;
        engine.wait_phase(Phase::Suspended).await?;
        services.get("alice").await?;
        for reason in ["Paused", "PauseEnded"] {
            let told = eventually(reason, 10, || async {
                let told = counts(&engine, reason).await?;
                Ok((!told.is_empty()).then_some(told))
            });
            ensure!(told.await? == [1], "{reason} was told more than once");
        }

        pause(&engine).await?;
        eventually("another pause to be counted", 10, || async {
            let told = counts(&engine, "Paused").await?;
            ensure!(told.len() == 1, "it is the same once more: {told:?}");
            Ok((told == [2]).then_some(()))
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_rotation_lets_the_engine_come_back_first() -> anyhow::Result<()>
{
    in_namespace("halt", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        eventually("the engine to be stopped for it", 60, || async {
            let phase = engine.get().await?.status.and_then(|status| status.phase);
            Ok((phase == Some(Phase::Rotating)).then_some(()))
        })
        .await?;
        pause(&engine).await?;
        let ended = engine.wait_rotation("r-1", "Certified").await?;
        ensure!(ended.certificate.is_some(), "{ended:?}");
        eventually("the engine to be back", 60, || async {
            Ok(engine.pod().await?.filter(is_ready).map(drop))
        })
        .await?;

        let (keys, before) = (engine.keys().await?, versions(&engine).await?);
        engine.rotate(json!({ "id": "r-2" })).await?;
        let said = engine
            .wait_reason("EncryptionUpToDate", "RotationPending")
            .await?;
        ensure!(said.message.contains("paused"), "{said:?}");
        holds("a paused engine is not rotated", 3, || async {
            Ok(versions(&engine).await? == before)
        })
        .await?;
        assert_eq!(engine.keys().await?, keys);
        annotate(&engine, Value::Null).await?;
        engine.wait_rotation("r-2", "Certified").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_deletion_waits_for_no_pause() -> anyhow::Result<()> {
    in_namespace("unpaused", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        pause(&engine).await?;
        engine.change(json!({ "deletionPolicy": "Delete" })).await?;
        engine.delete().await?;
        let claims = namespace.api::<PersistentVolumeClaim>();
        eventually("the volume to be gone", 60, || async {
            Ok(claims.get_opt("alice-brain").await?.is_none().then_some(()))
        })
        .await
    })
    .await
}
