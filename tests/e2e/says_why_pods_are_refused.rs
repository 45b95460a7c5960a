//! A pod that the API server refuses: the reason is the refusal in its words, and the pod is tried again once it may be let in,
//! though its controller would wait longer.

use anyhow::ensure;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Event, LimitRange, Namespace as Space, Pod};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use userengine_api::labels;
use userengine_e2e::trouble::{
    WELCOME, is_back, is_told_once, refuses, says, told, unless_welcome,
};
use userengine_e2e::{Engine, Namespace, eventually, in_namespace, security};

/// Sees that the pod is refused in these words, and that this is told in time and once.
async fn is_refused(engine: &Engine, words: &str) -> anyhow::Result<()> {
    let condition = says(engine, ("EngineAvailable", "PodRefused"), || {
        told(&engine.namespace, "FailedCreate", words)
    })
    .await?;
    ensure!(condition.message.contains(words), "{}", condition.message);
    engine.wait_reason("StorageReady", "AsExpected").await?;
    is_told_once(engine, "PodRefused", 10).await
}

/// By what the operator last asked the StatefulSet's controller to try again.
async fn tried(namespace: &Namespace) -> anyhow::Result<(Option<String>, Option<String>)> {
    let set: StatefulSet = namespace.api().get("alice").await?;
    Ok((set.uid(), set.annotations().get(labels::BOUNDS).cloned()))
}

/// Tries after which the StatefulSet's controller waits for 20 s before the next one: 5 ms, and twice as long each time.
const TRIES: i32 = 13;

/// Its controller has just tried, and will not for a while.
async fn is_given_up(namespace: &Namespace) -> anyhow::Result<()> {
    let failures = ListParams::default().fields("reason=FailedCreate");
    eventually("the controller to wait long", 60, || async {
        let told = namespace.api::<Event>().list(&failures).await?;
        let tries = told.iter().filter_map(|event| event.count).max();
        ensure!(tries >= Some(TRIES), "{tries:?} tries");
        Ok(Some(()))
    })
    .await
}

/// The engine is back, because the operator saw that its pod may be let in by now.
async fn is_tried_again<F>(engine: &Engine, mend: F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    is_given_up(&engine.namespace).await?;
    let (uid, before) = tried(&engine.namespace).await?;
    mend.await?;
    is_back(engine).await?;
    let (same, after) = tried(&engine.namespace).await?;
    ensure!(same == uid, "the StatefulSet was made anew");
    ensure!(after != before, "its controller tried again by itself");
    Ok(())
}

#[tokio::test]
async fn a_pod_beyond_a_limit_range_is_tried_again_when_the_range_is_wider() -> anyhow::Result<()> {
    in_namespace("range", |namespace| async move {
        let up_to = |memory: &str| {
            let limits = json!([{ "type": "Container", "max": { "memory": memory } }]);
            json!({ "metadata": { "name": "small" }, "spec": { "limits": limits } })
        };
        namespace
            .create_object::<LimitRange>(up_to("128Mi"))
            .await?;
        let engine = Engine::of_class(&namespace, json!({})).await?;
        is_refused(&engine, "maximum memory usage per Container is 128Mi").await?;
        is_tried_again(&engine, async {
            let wider = up_to("1Gi");
            namespace.merge::<LimitRange>("small", wider).await?;
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_pod_that_a_class_asks_too_much_for_is_tried_again_when_the_class_asks_for_less()
-> anyhow::Result<()> {
    in_namespace("priority", |namespace| async move {
        let wrong = json!({ "priorityClassName": "there-is-none" });
        let engine = Engine::of_class(&namespace, wrong).await?;
        is_refused(&engine, "there-is-none").await?;
        engine.class(json!({})).await?;
        is_back(&engine).await
    })
    .await
}

#[tokio::test]
async fn a_pod_that_a_policy_refuses_is_tried_again_when_the_namespace_is_labelled()
-> anyhow::Result<()> {
    in_namespace("policy", |namespace| async move {
        let pods = json!({ "resources": ["pods"], "operations": ["CREATE"] });
        unless_welcome(&namespace, &pods, Box::pin(until_welcome(&namespace))).await
    })
    .await
}

async fn until_welcome(namespace: &Namespace) -> anyhow::Result<()> {
    let containers = json!([{ "name": "any", "image": "any", "securityContext": security() }]);
    let pod =
        json!({ "metadata": { "generateName": "any-" }, "spec": { "containers": containers } });
    refuses::<Pod>(namespace, &pod, "welcome").await?;
    let engine = Engine::of_class(namespace, json!({})).await?;
    is_refused(&engine, "none before they are welcome").await?;
    is_tried_again(&engine, async {
        let spaces: Api<Space> = Api::all(namespace.client.clone());
        let label = Patch::Merge(json!({ "metadata": { "labels": { WELCOME: "yes" } } }));
        let parameters = PatchParams::default();
        spaces.patch(&namespace.name, &parameters, &label).await?;
        Ok(())
    })
    .await
}
