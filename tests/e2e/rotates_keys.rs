//! A rotation from the request to the certificate, and every way in which it may be asked for.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use serde_json::json;
use tokio::process::Command;
use userengine_api::status::Phase;
use userengine_e2e::{Connected, Engine, at, condition, eventually, holds, in_namespace, inside};

#[tokio::test]
async fn a_connection_outlives_its_key_and_the_old_key_by_itself_opens_nothing()
-> anyhow::Result<()> {
    in_namespace("rotate", |namespace| async move {
        let connected = Connected::new("rotate", &namespace).await?;
        let result = outlives(&connected).await;
        connected.clear().await?;
        result
    })
    .await
}

async fn outlives(connected: &Connected) -> anyhow::Result<()> {
    let engine = &connected.engine;
    connected.tool_works().await?;
    let (consents, old) = (
        connected.authorized().await?,
        engine.key_in("active").await?,
    );

    engine.rotate(json!({ "id": "r-1" })).await?;
    kubectl_waits(engine).await?;
    let done = engine.wait_rotation("r-1", "Certified").await?;
    engine.wait_phase(Phase::Ready).await?;

    let new = engine.key_in("active").await?;
    ensure!(
        new != old && engine.key_in("withheld").await? == old,
        "{done:?}"
    );
    let image = done.image_id.as_deref().unwrap_or_default();
    ensure!(image.contains("sha256:"), "{image:?}");
    let certificate = done.certificate.context("no certificate")?;
    assert_eq!(at(&certificate, "/from"), old.as_str());
    assert_eq!(at(&certificate, "/to"), new.as_str());
    let binary = at(&certificate, "/binary").as_str().unwrap_or_default();
    ensure!(binary.starts_with("sha256:"), "{certificate}");
    assert_eq!(
        at(&certificate, "/inventoryBefore"),
        at(&certificate, "/inventoryAfter")
    );
    let says = inside(engine).await?;
    assert_eq!(at(&says, "/held_kids"), &json!([new]), "{says}");
    assert_eq!(at(&says, "/rows_by_kid").get(&old), None, "{says}");

    connected.tool_works().await?;
    assert_eq!(
        connected.authorized().await?,
        consents,
        "somebody had to consent again"
    );
    told_once(engine).await?;

    engine.change(json!({ "suspended": true })).await?;
    engine.wait_phase(Phase::Suspended).await?;
    let secret =
        |kid: String| async move { engine.key_secret(&kid).await?.context("its Secret is gone") };
    let with_old = engine.opens_with(&secret(old).await?).await?;
    ensure!(with_old.code == 65, "the old key opens it: {with_old:?}");
    let with_new = engine.opens_with(&secret(new).await?).await?;
    ensure!(with_new.code == 0, "the new key does not: {with_new:?}");
    Ok(())
}

async fn kubectl_waits(engine: &Engine) -> anyhow::Result<()> {
    let output = Command::new("kubectl")
        .args([
            "-n",
            &engine.namespace.name,
            "wait",
            "userengine",
            &engine.name,
        ])
        .args(["--for=condition=EncryptionUpToDate", "--timeout=180s"])
        .output()
        .await?;
    ensure!(output.status.success(), "{output:?}");
    // It spoke of this request, not of the time before.
    let engine = engine.get().await?;
    let said = condition(&engine, "EncryptionUpToDate").context("no condition")?;
    ensure!(said.observed_generation == engine.metadata.generation);
    Ok(())
}

async fn told_once(engine: &Engine) -> anyhow::Result<()> {
    let events = engine.namespace.api::<Event>();
    let events = events.list(&ListParams::default()).await?;
    for reason in [
        "RotationOpened",
        "RotationQuiescing",
        "RotationStarted",
        "RotationVerified",
        "KeyPromoted",
        "KeyRetired",
    ] {
        let told = events.items.iter();
        let told = told.filter(|event| event.reason.as_deref() == Some(reason));
        assert_eq!(told.count(), 1, "{reason}");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_request_waits_for_the_first_and_an_id_counts_once() -> anyhow::Result<()> {
    in_namespace("queue", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.rotate(json!({ "id": "first" })).await?;
        eventually("the engine to be stopped for it", 60, || async {
            let phase = engine.get().await?.status.and_then(|status| status.phase);
            Ok((phase == Some(Phase::Rotating)).then_some(()))
        })
        .await?;
        engine.rotate(json!({ "id": "second" })).await?;
        engine
            .wait_reason("EncryptionUpToDate", "RotationQueued")
            .await?;
        engine.wait_rotation("second", "Certified").await?;
        let keys = engine.keys().await?;
        assert_eq!(keys.len(), 3, "two rotations make two keys: {keys:?}");

        // The first one again, as a revert in a repository would.
        engine.wait_phase(Phase::Ready).await?;
        engine.rotate(json!({ "id": "first" })).await?;
        engine.wait_phase(Phase::Ready).await?;
        assert_eq!(engine.keys().await?, keys);
        engine.wait_rotation("second", "Certified").await?;
        Ok(())
    })
    .await
}

/// A repository that is applied to an object that was deleted in between.
#[tokio::test]
async fn an_object_that_is_made_again_with_an_old_request_asks_for_nothing() -> anyhow::Result<()> {
    in_namespace("again", |namespace| async move {
        let mut manifest = userengine_e2e::engine("alice", "alice");
        let request = json!({ "spec": { "encryption": { "rotation": { "id": "r-1" } } } });
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        let keys = engine.keys().await?;
        json_patch::merge(&mut manifest, &request);

        engine.delete().await?;
        let again = Engine::create(&namespace, manifest.clone()).await?;
        asks_for_nothing(&again).await?;
        assert_eq!(again.keys().await?, keys, "the brain was kept");

        again.change(json!({ "deletionPolicy": "Delete" })).await?;
        again.delete().await?;
        let claims = namespace.api::<PersistentVolumeClaim>();
        eventually("the volume to be gone", 60, || async {
            Ok(claims.get_opt("alice-brain").await?.is_none().then_some(()))
        })
        .await?;
        let anew = Engine::create(&namespace, manifest).await?;
        asks_for_nothing(&anew).await?;
        assert_eq!(anew.keys().await?.len(), 1, "the brain is new");
        Ok(())
    })
    .await
}

/// A rotation could begin as soon as the engine is Ready.
async fn asks_for_nothing(engine: &Engine) -> anyhow::Result<()> {
    engine.wait_phase(Phase::Ready).await?;
    let pod = engine.pod_uid().await?;
    holds("an id counts once", 4, || async {
        let now = engine.get().await?;
        let said = condition(&now, "EncryptionUpToDate");
        let is_quiet = said.is_some_and(|said| said.reason == "AsExpected");
        Ok(is_quiet && engine.pod_uid().await? == pod)
    })
    .await
}

#[tokio::test]
async fn a_rollback_goes_back_to_the_key_that_was_and_makes_no_other() -> anyhow::Result<()> {
    in_namespace("rollback", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let first = engine.key_in("active").await?;
        engine.rotate(json!({ "id": "there" })).await?;
        engine.wait_rotation("there", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        engine
            .rotate(json!({ "id": "back", "rollbackTo": first }))
            .await?;
        engine.wait_rotation("back", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        assert_eq!(engine.key_in("active").await?, first);
        assert_eq!(engine.keys().await?.len(), 2);
        assert_eq!(inside(&engine).await?["write_kid"], first.as_str());

        let never = "0123456789abcdef";
        engine
            .rotate(json!({ "id": "nowhere", "rollbackTo": never }))
            .await?;
        engine
            .wait_reason("EncryptionUpToDate", "RotationRejected")
            .await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_suspended_engine_rotates_and_stays_suspended() -> anyhow::Result<()> {
    in_namespace("asleep", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.change(json!({ "suspended": true })).await?;
        engine.wait_phase(Phase::Suspended).await?;
        let before = engine.key_in("active").await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Suspended).await?;
        ensure!(engine.pod().await?.is_none(), "it was woken");
        ensure!(engine.key_in("active").await? != before);
        eventually("the Job to be gone", 60, || async {
            let jobs = namespace.api::<Job>().list(&ListParams::default()).await?;
            Ok(jobs.items.is_empty().then_some(()))
        })
        .await?;
        engine.change(json!({ "suspended": false })).await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}
