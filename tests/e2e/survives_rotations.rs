//! What goes wrong around a rotation, and what becomes of keys after it.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;
use userengine_api::key::EncryptionKey;
use userengine_api::names::{Names, key_suffix};
use userengine_api::status::Phase;
use userengine_api::{EngineClass, UserEngine, labels};
use userengine_e2e::credentials::Credentials;
use userengine_e2e::trouble::notes;
use userengine_e2e::{Engine, Namespace, eventually, holds, in_namespace, inside, is_ready};

use crate::converges::comes_back;

/// Credentials that are there when something goes wrong.
const CREDENTIALS: usize = 100;

/// An engine of a class that keeps no key longer than it must.
async fn forgetful(namespace: &Namespace) -> anyhow::Result<Engine> {
    let fields = json!({ "keys": { "retainRetired": "0s" } });
    userengine_e2e::class(&namespace.client, &namespace.name, fields).await?;
    let mut object = userengine_e2e::engine("alice", "alice");
    let class = json!({ "spec": { "className": namespace.name } });
    json_patch::merge(&mut object, &class);
    let engine = Engine::create(namespace, object).await?;
    engine.wait_phase(Phase::Ready).await?;
    Ok(engine)
}

async fn remove_class(namespace: &Namespace) -> anyhow::Result<()> {
    let classes: Api<EngineClass> = Api::all(namespace.client.clone());
    classes
        .delete(&namespace.name, &DeleteParams::default())
        .await?;
    Ok(())
}

async fn is_gone(engine: &Engine, kid: &str) -> anyhow::Result<()> {
    eventually(&format!("key {kid} to be gone"), 90, || async {
        let is_known = engine.keys().await?.iter().any(|key| key.id == kid);
        let is_there = engine.key_secret(kid).await?.is_some();
        Ok((!is_known && !is_there).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_job_whose_pod_is_killed_is_tried_again_and_comes_to_its_end() -> anyhow::Result<()> {
    in_namespace("killed", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        let pod = eventually("the Job's pod", 90, || engine.job_pod()).await?;
        let at_once = DeleteParams::default().grace_period(0);
        namespace
            .api::<Pod>()
            .delete(&pod.name_any(), &at_once)
            .await?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

/// The rotation ends as one that nobody disturbed: certified, and with every credential under the new key.
async fn ends_well(engine: &Engine, credentials: &Credentials) -> anyhow::Result<()> {
    let ended = engine.wait_rotation("r-1", "Certified").await?;
    ensure!(ended.certificate.is_some(), "{ended:?}");
    engine.wait_phase(Phase::Ready).await?;
    let used = credentials.check().await?;
    let used: Vec<_> = used.iter().map(ToString::to_string).collect();
    assert_eq!(used, [engine.key_in("active").await?]);
    Ok(())
}

/// Deletes the Job of a rotation while its pod is there.
async fn loses_its_job(namespace: &Namespace, how: DeleteParams) -> anyhow::Result<()> {
    let engine = Engine::ready(namespace, "alice", "alice").await?;
    let credentials = Credentials::seed(&engine, CREDENTIALS).await?;
    engine.rotate(json!({ "id": "r-1" })).await?;
    eventually("the Job's pod", 90, || engine.job_pod()).await?;
    let jobs = namespace.api::<Job>();
    let all = jobs.list(&ListParams::default()).await?;
    let job = all.items.into_iter().next().context("no Job")?;
    jobs.delete(&job.name_any(), &how).await?;
    eventually("another Job", 60, || async {
        let all = jobs.list(&ListParams::default()).await?;
        let mut all = all.items.into_iter();
        Ok(all.find(|other| other.uid() != job.uid()).map(drop))
    })
    .await?;
    ends_well(&engine, &credentials).await?;
    eventually("nothing of the Jobs to be left", 60, || async {
        let of_jobs = ListParams::default().labels("batch.kubernetes.io/job-name");
        let pods = namespace.api::<Pod>().list(&of_jobs).await?;
        Ok(pods.items.is_empty().then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_job_that_somebody_deletes_is_followed_by_another_and_no_credential_is_lost()
-> anyhow::Result<()> {
    in_namespace("jobless", |namespace| async move {
        // As kubectl does it: the pod goes as well.
        loses_its_job(&namespace, DeleteParams::background()).await
    })
    .await
}

#[tokio::test]
async fn a_job_that_somebody_deletes_without_its_pod_is_followed_by_another_and_no_credential_is_lost()
-> anyhow::Result<()> {
    in_namespace("orphaned", |namespace| async move {
        loses_its_job(&namespace, DeleteParams::orphan()).await
    })
    .await
}

#[tokio::test]
async fn walls_that_somebody_takes_down_in_the_middle_come_back_and_no_credential_is_lost()
-> anyhow::Result<()> {
    in_namespace("wallless", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let credentials = Credentials::seed(&engine, CREDENTIALS).await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        // They are there before anything is stopped, and once it is over they would not come back.
        eventually("the engine to be stopped for it", 60, || async {
            let phase = engine.get().await?.status.and_then(|status| status.phase);
            Ok((phase == Some(Phase::Rotating)).then_some(()))
        })
        .await?;
        comes_back::<NetworkPolicy>(&namespace, &Names("alice").rotation()).await?;
        ends_well(&engine, &credentials).await
    })
    .await
}

#[tokio::test]
async fn a_secret_of_somebody_elses_under_the_new_keys_name_is_refused() -> anyhow::Result<()> {
    in_namespace("foreign", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let before = engine.key_in("active").await?;
        let database_id = inside(&engine).await?["database_id"].clone();
        let suffix = key_suffix(database_id.as_str().context("no id")?, "r-1");
        let key = EncryptionKey::from_bytes([7; 32]);
        let squatter = json!({
            "metadata": { "name": format!("alice-key-{suffix}"), "annotations": { labels::DATABASE_ID: "another" } },
            "stringData": { "key": key.text().as_str() },
        });
        namespace.create_object::<Secret>(squatter).await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        let said = engine
            .wait_reason("EncryptionUpToDate", "RotationRefused")
            .await?;
        ensure!(said.status == "False", "{said:?}");
        let engine_now = engine.wait_phase(Phase::Ready).await?;
        ensure!(engine_now.status.is_some());
        assert_eq!(engine.key_in("active").await?, before);
        engine.rotate(json!({ "id": "r-2" })).await?;
        engine.wait_rotation("r-2", "Certified").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_that_is_being_deleted_is_rotated_away_from_and_then_goes() -> anyhow::Result<()> {
    in_namespace("going", |namespace| async move {
        let engine = forgetful(&namespace).await?;
        let old = engine.key_in("active").await?;
        let secret = engine.key_secret(&old).await?.context("no Secret")?;
        let secrets = namespace.api::<Secret>();
        secrets
            .delete(&secret.name_any(), &DeleteParams::default())
            .await?;
        // Nobody watches Secrets: the next look finds it, and any change of the engine leads to one.
        let touch = json!({ "metadata": { "annotations": { "example.com/looked-at": "now" } } });
        namespace.merge::<UserEngine>(&engine.name, touch).await?;
        engine
            .wait_reason("KeyAvailable", "KeyDeletionPending")
            .await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        is_gone(&engine, &old).await?;
        remove_class(&namespace).await
    })
    .await
}

#[tokio::test]
async fn a_retired_key_is_destroyed_when_its_time_is_up_and_no_backup_holds_it()
-> anyhow::Result<()> {
    in_namespace("retire", |namespace| async move {
        let engine = forgetful(&namespace).await?;
        let old = engine.key_in("active").await?;
        let secret = engine.key_secret(&old).await?.context("no Secret")?;
        let hold = |value: serde_json::Value| {
            let note =
                json!({ "metadata": { "annotations": { "hold.userengine.dev/nightly": value } } });
            namespace.merge::<Secret>(secret.metadata.name.as_deref().unwrap_or_default(), note)
        };
        hold(json!("")).await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        holds("a key on hold is kept", 5, || async {
            Ok(engine.key_secret(&old).await?.is_some())
        })
        .await?;
        hold(serde_json::Value::Null).await?;
        // Secrets are not watched; whoever cannot wait touches the engine.
        let touch = json!({ "metadata": { "annotations": { "example.com/look": "now" } } });
        namespace.merge::<UserEngine>("alice", touch).await?;
        is_gone(&engine, &old).await?;
        engine
            .rotate(json!({ "id": "r-2", "rollbackTo": old }))
            .await?;
        engine
            .wait_reason("EncryptionUpToDate", "RotationRejected")
            .await?;
        remove_class(&namespace).await
    })
    .await
}

#[tokio::test]
async fn a_retired_key_of_an_engine_that_sleeps_is_destroyed_as_well() -> anyhow::Result<()> {
    in_namespace("dreams", |namespace| async move {
        let engine = forgetful(&namespace).await?;
        let old = engine.key_in("active").await?;
        engine.change(json!({ "suspended": true })).await?;
        engine.wait_phase(Phase::Suspended).await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        engine.wait_rotation("r-1", "Certified").await?;
        is_gone(&engine, &old).await?;
        engine.wait_phase(Phase::Suspended).await?;
        eventually("every Job to be gone", 60, || async {
            let jobs = namespace.api::<Job>().list(&ListParams::default()).await?;
            Ok(jobs.items.is_empty().then_some(()))
        })
        .await?;
        engine.change(json!({ "suspended": false })).await?;
        engine.wait_phase(Phase::Ready).await?;
        remove_class(&namespace).await
    })
    .await
}

#[tokio::test]
async fn erase_destroys_every_key_whoever_holds_it_and_then_the_brain() -> anyhow::Result<()> {
    in_namespace("erase", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        let keys = engine.keys().await?;
        for key in &keys {
            let secret = engine.key_secret(&key.id).await?.context("no Secret")?;
            let note =
                json!({ "metadata": { "annotations": { "hold.userengine.dev/nightly": "" } } });
            namespace.merge::<Secret>(&secret.name_any(), note).await?;
        }
        engine.change(json!({ "deletionPolicy": "Erase" })).await?;
        engine.delete().await?;
        let secrets = namespace.api::<Secret>();
        let left = secrets.list(&ListParams::default()).await?;
        let mut left = left.items.into_iter().map(|it| it.name_any());
        ensure!(
            !left.any(|name| name.starts_with("alice-key-")),
            "a key is left"
        );
        let notes = notes(&engine, "KeyDestroyed").await?;
        for key in &keys {
            let is_told = notes.iter().any(|note| note.contains(&key.id));
            ensure!(is_told, "{}: {notes:?}", key.id);
        }
        let claims = namespace.api::<PersistentVolumeClaim>();
        eventually("the volume to be gone", 60, || async {
            Ok(claims.get_opt("alice-brain").await?.is_none().then_some(()))
        })
        .await
    })
    .await
}

#[tokio::test]
async fn an_engine_whose_class_goes_in_the_middle_comes_back_on_the_settings_it_had()
-> anyhow::Result<()> {
    in_namespace("classless", |namespace| async move {
        let engine = forgetful(&namespace).await?;
        let before = engine.key_in("active").await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        let stopped = eventually("the engine to be stopped for it", 60, || async {
            let phase = engine.get().await?.status.and_then(|status| status.phase);
            Ok((phase == Some(Phase::Rotating)).then_some(()))
        })
        .await;
        remove_class(&namespace).await?;
        stopped?;
        engine.wait_rotation("r-1", "Certified").await?;
        eventually("the engine to serve", 60, || async {
            Ok(engine.pod().await?.filter(is_ready).map(drop))
        })
        .await?;
        engine.wait_reason("ClassResolved", "ClassNotFound").await?;
        engine.wait_reason("EngineAvailable", "AsExpected").await?;
        let now = engine.key_in("active").await?;
        ensure!(now != before);
        let held = inside(&engine).await?["held_kids"].take();
        assert_eq!(held, json!([now]));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_deletion_in_the_middle_wins_and_the_next_engine_carries_on() -> anyhow::Result<()> {
    in_namespace("midway", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        eventually("the engine to be stopped for it", 60, || async {
            let phase = engine.get().await?.status.and_then(|status| status.phase);
            Ok((phase == Some(Phase::Rotating)).then_some(()))
        })
        .await?;
        engine.delete().await?;
        eventually("the Job and its pod to be gone", 60, || async {
            let jobs = namespace.api::<Job>().list(&ListParams::default()).await?;
            Ok((jobs.items.is_empty() && engine.job_pod().await?.is_none()).then_some(()))
        })
        .await?;
        let again = Engine::create(&namespace, userengine_e2e::engine("alice", "alice")).await?;
        again.wait_rotation("r-1", "Certified").await?;
        again.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}
