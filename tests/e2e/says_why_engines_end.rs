//! An engine that cannot run, or ends again and again, is told apart by what ends it, and is back as soon as its class is right.

use anyhow::ensure;
use k8s_openapi::api::core::v1::{ConfigMap, ContainerStatus};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use userengine_e2e::trouble::{container, ended_for, is_back, is_told_once, says, told, waits_for};
use userengine_e2e::{Engine, Namespace, OAUTH_SERVER_IMAGE, OPERATOR_IMAGE, SYSTEM, in_namespace};

/// From here on the kubelet waits before each try.
fn loops(container: &ContainerStatus) -> bool {
    waits_for(container, "CrashLoopBackOff") || container.restart_count >= 2
}

#[tokio::test]
async fn an_engine_that_ends_each_time_is_told_with_its_exit_code_until_its_class_is_right()
-> anyhow::Result<()> {
    in_namespace("crashes", |namespace| async move {
        // A program that knows nothing of serving, and says so.
        let wrong = json!({ "image": OPERATOR_IMAGE });
        let engine = Engine::of_class(&namespace, wrong).await?;
        let condition = says(&engine, ("EngineAvailable", "CrashLoop"), || {
            container(&engine, loops)
        })
        .await?;
        for words in ["exit code 2 ", "kubectl logs alice-0 --previous"] {
            ensure!(condition.message.contains(words), "{}", condition.message);
        }
        // It goes on ending meanwhile, and that is no news.
        let restarts = restarts(&engine).await?;
        is_told_once(&engine, "CrashLoop", 10).await?;
        let more = self::restarts(&engine).await?;
        ensure!(more > restarts, "it ended {more} times, and did before");
        engine.class(json!({})).await?;
        is_back(&engine).await
    })
    .await
}

async fn restarts(engine: &Engine) -> anyhow::Result<i32> {
    let status = engine.pod().await?.and_then(|pod| pod.status);
    let containers = status.and_then(|status| status.container_statuses);
    let counts = containers.iter().flatten().map(|it| it.restart_count);
    Ok(counts.sum())
}

/// In the form of a certificate, and none.
const FALSE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

async fn trust(namespace: &Namespace, authorities: &str) -> anyhow::Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(namespace.client.clone(), SYSTEM);
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": namespace.name },
        "data": { "ca.crt": authorities },
    });
    let parameters = PatchParams::apply("e2e").force();
    let object = Patch::Apply(object);
    maps.patch(&namespace.name, &parameters, &object).await?;
    Ok(())
}

#[tokio::test]
async fn an_engine_that_refuses_what_its_class_hands_it_says_why_in_its_own_words()
-> anyhow::Result<()> {
    in_namespace("refuses", |namespace| async move {
        trust(&namespace, FALSE).await?;
        let tls = json!({ "tls": { "caConfigMap": namespace.name } });
        let engine = Engine::of_class(&namespace, tls).await?;
        let condition = says(&engine, ("EngineAvailable", "ConfigInvalid"), || {
            container(&engine, |it| ended_for(it, "Error"))
        })
        .await?;
        ensure!(
            condition.message.contains("EXTRA_CA_FILE: /ca/ca.crt"),
            "{}",
            condition.message
        );
        is_told_once(&engine, "ConfigInvalid", 10).await?;
        let issued = rcgen::generate_simple_self_signed(["ca.example.com".to_owned()])?;
        trust(&namespace, &issued.cert.pem()).await?;
        is_back(&engine).await?;
        let maps: Api<ConfigMap> = Api::namespaced(namespace.client.clone(), SYSTEM);
        maps.delete(&namespace.name, &DeleteParams::default())
            .await?;
        Ok(())
    })
    .await
}

fn memory(amount: &str) -> Value {
    let amounts = json!({ "cpu": "10m", "memory": amount });
    json!({ "requests": amounts, "limits": { "cpu": "1", "memory": amount } })
}

#[tokio::test]
async fn an_engine_that_needs_more_memory_than_its_limit_is_told_apart_from_one_that_fails()
-> anyhow::Result<()> {
    in_namespace("oom", |namespace| async move {
        // Begins in so much, and comes nowhere near serving in it.
        let small = json!({ "image": OAUTH_SERVER_IMAGE, "resources": memory("16Mi") });
        let engine = Engine::of_class(&namespace, small).await?;
        let condition = says(&engine, ("EngineAvailable", "OutOfMemory"), || {
            container(&engine, |it| ended_for(it, "OOMKilled"))
        })
        .await?;
        for words in ["limit: 16Mi", "resources.limits.memory"] {
            ensure!(condition.message.contains(words), "{}", condition.message);
        }
        is_told_once(&engine, "OutOfMemory", 10).await?;
        engine.class(json!({ "resources": memory("64Mi") })).await?;
        is_back(&engine).await
    })
    .await
}

#[tokio::test]
async fn a_node_that_lacks_the_runtime_says_so_until_the_class_asks_for_another()
-> anyhow::Result<()> {
    in_namespace("runtime", |namespace| async move {
        let runtimes: Api<RuntimeClass> = Api::all(namespace.client.clone());
        let none = RuntimeClass {
            handler: "there-is-none".to_owned(),
            metadata: serde_json::from_value(json!({ "name": namespace.name }))?,
            ..RuntimeClass::default()
        };
        runtimes.create(&PostParams::default(), &none).await?;
        let outcome = without_runtime(&namespace).await;
        let gone = DeleteParams::default();
        runtimes.delete(&namespace.name, &gone).await?;
        outcome
    })
    .await
}

async fn without_runtime(namespace: &Namespace) -> anyhow::Result<()> {
    let wrong = json!({ "runtimeClassName": namespace.name });
    let engine = Engine::of_class(namespace, wrong).await?;
    let condition = says(&engine, ("EngineAvailable", "SandboxFailed"), || {
        told(namespace, "FailedCreatePodSandBox", "there-is-none")
    })
    .await?;
    let said = condition.message;
    ensure!(said.contains("there-is-none"), "{said}");
    is_told_once(&engine, "SandboxFailed", 10).await?;
    engine.class(json!({})).await?;
    is_back(&engine).await
}
