//! What keeps an engine from coming up is a reason of its own, within five seconds of its showing, told once; and once it is
//! mended nobody waits for anybody's next try.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota, Secret};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use userengine_api::UserEngine;
use userengine_api::status::Phase;
use userengine_e2e::trouble::{
    allows, container, is_back, is_told_once, lacks_its_image, says, told, waits_for,
};
use userengine_e2e::{ENGINE_IMAGE, Engine, Namespace, condition, eventually, in_namespace};

use crate::blocks_on_key_trouble::{destroy, key_secret, with_content};

#[tokio::test]
async fn an_image_that_cannot_be_had_is_named_and_another_one_is_taken_at_once()
-> anyhow::Result<()> {
    in_namespace("noimage", |namespace| async move {
        let engine = Engine::of_class(&namespace, json!({ "image": "localhost/none:1" })).await?;
        let condition = says(&engine, ("EngineAvailable", "ImagePullFailed"), || {
            container(&engine, lacks_its_image)
        })
        .await?;
        ensure!(
            condition.message.contains("localhost/none:1"),
            "{}",
            condition.message
        );
        // Two tries of the kubelet, with waits of its own between them.
        is_told_once(&engine, "ImagePullFailed", 30).await?;
        engine.class(json!({ "image": ENGINE_IMAGE })).await?;
        is_back(&engine).await
    })
    .await
}

#[tokio::test]
async fn an_image_is_asked_for_anew_once_there_is_another_secret_to_pull_it_with()
-> anyhow::Result<()> {
    in_namespace("pulled", |namespace| async move {
        let class = json!({ "image": "localhost/none:1", "imagePullSecrets": ["registry"] });
        let engine = Engine::of_class(&namespace, class).await?;
        let is_replaced = async |what: &str| -> anyhow::Result<()> {
            engine
                .wait_reason("EngineAvailable", "ImagePullFailed")
                .await?;
            let before = engine.pod().await?.context("no pod")?.uid();
            let write = async |step: usize| {
                let config =
                    json!({ "auths": { "localhost": { "username": "test", "password": step.to_string() } } });
                let secret = json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
                    "metadata": { "name": "registry" },
                    "stringData": { ".dockerconfigjson": config.to_string() },
                });
                let secrets = namespace.api::<Secret>();
                secrets
                    .patch(
                        "registry",
                        &PatchParams::apply("test").force(),
                        &Patch::Apply(&secret),
                    )
                    .await
            };
            // Times are in whole seconds, and what was written in the pod's first one may be older.
            let step = AtomicUsize::new(0);
            eventually(what, 30, || async {
                write(step.fetch_add(1, Ordering::Relaxed)).await?;
                let now = engine.pod_uid().await?;
                Ok((now.is_some() && now != before).then_some(()))
            })
            .await
        };
        is_replaced("another pod, as the Secret is there").await?;
        is_replaced("another pod, as the Secret is another").await
    })
    .await
}

#[tokio::test]
async fn an_engine_that_no_node_has_room_for_is_unschedulable_until_it_asks_for_less()
-> anyhow::Result<()> {
    in_namespace("memory", |namespace| async move {
        let memory = |amount: &str| {
            let amounts = json!({ "cpu": "10m", "memory": amount });
            json!({ "resources": { "requests": amounts, "limits": { "cpu": "1", "memory": amount } } })
        };
        let engine = Engine::of_class(&namespace, memory("1000Gi")).await?;
        says(&engine, ("EngineAvailable", "Unschedulable"), || async {
            let status = engine.pod().await?.and_then(|pod| pod.status);
            let conditions = status.and_then(|status| status.conditions);
            let mut placed = conditions.iter().flatten();
            Ok(placed.any(|it| it.reason.as_deref() == Some("Unschedulable")))
        })
        .await?;
        is_told_once(&engine, "Unschedulable", 10).await?;
        engine.class(memory("64Mi")).await?;
        is_back(&engine).await
    })
    .await
}

async fn raise(namespace: &Namespace, hard: Value) -> anyhow::Result<()> {
    namespace
        .merge::<ResourceQuota>("small", json!({ "spec": { "hard": hard } }))
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_pod_that_a_quota_refuses_is_tried_again_when_there_is_room() -> anyhow::Result<()> {
    in_namespace("quota", |namespace| async move {
        let none = json!({ "metadata": { "name": "small" }, "spec": { "hard": { "pods": "0", "services": "1" } } });
        namespace.create_object::<ResourceQuota>(none).await?;
        allows(&namespace, "small", "pods", "0").await?;
        let engine = Engine::of_class(&namespace, json!({})).await?;
        // First a child, then the pod.
        let condition = engine.wait_reason("Ready", "ChildRefused").await?;
        ensure!(
            condition.message.contains("quota: small"),
            "{}",
            condition.message
        );
        raise(&namespace, json!({ "services": "5" })).await?;
        let condition = says(&engine, ("EngineAvailable", "PodRefused"), || {
            told(&namespace, "FailedCreate", "quota")
        })
        .await?;
        ensure!(
            condition.message.contains("quota: small"),
            "{}",
            condition.message
        );
        // By now the controller waits for more than half a minute between its tries.
        is_told_once(&engine, "PodRefused", 40).await?;
        let set = namespace.api::<StatefulSet>().get("alice").await?;
        raise(&namespace, json!({ "pods": "5" })).await?;
        allows(&namespace, "small", "pods", "5").await?;
        is_back(&engine).await?;
        let same = namespace.api::<StatefulSet>().get("alice").await?;
        ensure!(same.uid() == set.uid(), "the StatefulSet was made anew");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_whose_secret_is_back_does_not_wait_for_its_kubelet() -> anyhow::Result<()> {
    in_namespace("mount", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let good = key_secret(&namespace).await?;
        let name = good.name_any();
        destroy(&namespace, &name).await?;
        namespace
            .api::<Pod>()
            .delete("alice-0", &DeleteParams::default())
            .await?;
        let condition = says(&engine, ("EngineAvailable", "VolumeMountFailed"), || {
            told(&namespace, "FailedMount", &name)
        })
        .await?;
        ensure!(condition.message.contains(&name), "{}", condition.message);
        // Somebody has to act on the key first.
        engine.wait_reason("Ready", "KeyMissing").await?;
        // By now the kubelet waits for more than half a minute between its tries.
        is_told_once(&engine, "KeyMissing", 40).await?;
        let stuck = engine.pod_uid().await?;
        namespace
            .api::<Secret>()
            .create(&PostParams::default(), &with_content(&good, None))
            .await?;
        is_back(&engine).await?;
        let pod = engine.pod_uid().await?;
        ensure!(pod != stuck, "the kubelet was waited for");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_engine_whose_secret_is_missing_starts_when_it_is_there() -> anyhow::Result<()> {
    in_namespace("nosecret", |namespace| async move {
        let allowed = json!({ "allowedEnvFrom": { "secretNames": ["more"] } });
        let engine = Engine::of_class(&namespace, allowed).await?;
        let source = json!([{ "prefix": "MORE_", "secretRef": { "name": "more" } }]);
        engine.change(json!({ "envFrom": source })).await?;
        let condition = says(&engine, ("EngineAvailable", "ContainerConfigError"), || {
            container(&engine, |it| waits_for(it, "CreateContainerConfigError"))
        })
        .await?;
        ensure!(
            condition.message.contains("\"more\""),
            "{}",
            condition.message
        );
        is_told_once(&engine, "ContainerConfigError", 20).await?;
        let more = json!({ "metadata": { "name": "more" }, "stringData": { "A": "b" } });
        namespace.create_object::<Secret>(more).await?;
        is_back(&engine).await
    })
    .await
}

#[tokio::test]
async fn a_volume_that_nobody_makes_is_told_and_keeps_nobody_from_suspending() -> anyhow::Result<()>
{
    in_namespace("novolume", |namespace| async move {
        let storage = json!({ "storage": { "storageClassName": "there-is-none" } });
        let engine = Engine::of_class(&namespace, storage).await?;
        let said = says(&engine, ("StorageReady", "ProvisioningFailed"), || {
            told(&namespace, "ProvisioningFailed", "there-is-none")
        })
        .await?;
        ensure!(said.message.contains("there-is-none"), "{}", said.message);
        eventually("the pod to be told of as well", 30, || async {
            let said = condition(&engine.get().await?, "EngineAvailable");
            Ok(said
                .filter(|said| said.message.contains("no node takes"))
                .map(drop))
        })
        .await?;
        is_told_once(&engine, "ProvisioningFailed", 20).await?;
        engine.change(json!({ "suspended": true })).await?;
        eventually("the pod to be gone", 30, || async {
            Ok(engine.pod().await?.is_none().then_some(()))
        })
        .await
    })
    .await
}

#[tokio::test]
async fn an_engine_that_is_blocked_can_be_suspended() -> anyhow::Result<()> {
    in_namespace("blockedstop", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let key = key_secret(&namespace).await?.name_any();
        destroy(&namespace, &key).await?;
        engine.change(json!({ "suspended": true })).await?;
        eventually("the pod to be gone", 30, || async {
            Ok(engine.pod().await?.is_none().then_some(()))
        })
        .await?;
        engine.wait_reason("Ready", "KeyMissing").await?;
        engine.wait_reason("EngineAvailable", "Suspended").await?;
        let engines = namespace.api::<UserEngine>();
        let said = engines.get("alice").await?.status.unwrap_or_default();
        ensure!(said.phase == Some(Phase::Blocked), "{:?}", said.phase);
        Ok(())
    })
    .await
}
