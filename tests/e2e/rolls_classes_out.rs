//! Engines follow a change of their class a few at a time, and a change that is wrong stops at the first ones.

use anyhow::{bail, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use userengine_api::EngineClass;
use userengine_api::status::Phase;
use userengine_e2e::trouble::unless_welcome;
use userengine_e2e::{Engine, Namespace, class, engine, eventually, holds, in_namespace, is_ready};

const NAMES: [&str; 3] = ["anna", "ben", "carl"];

/// Sees to the engines' class, which has the namespace's name.
async fn say(namespace: &Namespace, mut fields: Value) -> anyhow::Result<()> {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("rollout".to_owned(), json!({ "maxConcurrent": 1 }));
    }
    class(&namespace.client, &namespace.name, fields).await
}

async fn serving(namespace: &Namespace) -> anyhow::Result<Vec<Engine>> {
    say(namespace, json!({})).await?;
    let mut engines = Vec::new();
    for name in NAMES {
        let mut object = engine(name, name);
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("className".to_owned(), json!(namespace.name));
        }
        engines.push(Engine::create(namespace, object).await?);
    }
    for engine in &engines {
        engine.wait_phase(Phase::Ready).await?;
    }
    Ok(engines)
}

/// The engine has come up and nobody stops it. On a busy machine its pod may be told unready now and then.
fn serves(pod: &Pod) -> bool {
    let statuses = pod.status.as_ref();
    let statuses = statuses.and_then(|status| status.container_statuses.as_ref());
    let is_started = |it: &ContainerStatus| it.started == Some(true);
    pod.metadata.deletion_timestamp.is_none()
        && statuses.is_some_and(|all| all.iter().all(is_started))
}

/// How many pods serve, in one look, and how many of these have a container that says this.
async fn count(namespace: &Namespace, said: &str) -> anyhow::Result<(usize, usize)> {
    let pods = namespace.api::<Pod>().list(&ListParams::default()).await?;
    let (mut ready, mut new) = (0, 0);
    for pod in pods.items.iter().filter(|pod| serves(pod)) {
        ready += 1;
        new += usize::from(serde_json::to_string(&pod.spec)?.contains(said));
    }
    Ok((ready, new))
}

/// Waits until all serve with a container that says this; meanwhile never more than one does not serve.
async fn follow(namespace: &Namespace, engines: &[Engine], said: &str) -> anyhow::Result<()> {
    let served = eventually("all to follow", 180, || async {
        let (ready, new) = count(namespace, said).await?;
        let is_over = new == engines.len() || ready + 1 < engines.len();
        Ok(is_over.then_some(ready))
    })
    .await?;
    ensure!(served == engines.len(), "only {served} served");
    for engine in engines {
        engine.wait_reason("ClassResolved", "AsExpected").await?;
    }
    Ok(())
}

#[tokio::test]
async fn engines_follow_their_class_one_after_the_other() -> anyhow::Result<()> {
    in_namespace("rollout", |namespace| async move {
        let engines = serving(&namespace).await?;
        say(&namespace, json!({ "logLevel": "debug" })).await?;
        follow(&namespace, &engines, r#""value":"debug""#).await?;

        // An image that does not exist: one engine finds out, and the others serve on as the class was.
        let wrong =
            json!({ "image": "localhost/userengine-engine:none", "imagePullPolicy": "Never" });
        say(&namespace, wrong).await?;
        eventually("one to find out", 90, || async {
            Ok((count(&namespace, "").await?.0 == 2).then_some(()))
        })
        .await?;
        holds("two serve as the class was", 15, || async {
            Ok(count(&namespace, "userengine-engine:none").await? == (2, 0))
        })
        .await?;
        let mut queued = 0;
        for engine in &engines {
            if engine.pod().await?.is_some_and(|pod| is_ready(&pod)) {
                let condition = engine.wait_reason("ClassResolved", "RolloutQueued").await?;
                ensure!(condition.status == "True", "{condition:?}");
                engine.wait_phase(Phase::Ready).await?;
                queued += 1;
            }
        }
        ensure!(queued == 2, "{queued} wait");

        // Once the class is mended, the one that fell gets up, and the others follow.
        say(&namespace, json!({ "logLevel": "warn" })).await?;
        follow(&namespace, &engines, r#""value":"warn""#).await?;
        let classes: Api<EngineClass> = Api::all(namespace.client.clone());
        classes
            .delete(&namespace.name, &DeleteParams::default())
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_that_may_not_be_restarted_keeps_nobody_waiting() -> anyhow::Result<()> {
    in_namespace("rolloutheld", |namespace| async move {
        let engines = serving(&namespace).await?;
        let writes = json!({
            "apiGroups": ["apps"], "resources": ["statefulsets"], "operations": ["UPDATE"], "resourceNames": ["anna"],
        });
        unless_welcome(&namespace, &writes, all_but_anna_follow(&namespace, &engines)).await?;
        follow(&namespace, &engines, r#""value":"debug""#).await?;
        let classes: Api<EngineClass> = Api::all(namespace.client.clone());
        classes.delete(&namespace.name, &DeleteParams::default()).await?;
        Ok(())
    })
    .await
}

async fn all_but_anna_follow(namespace: &Namespace, engines: &[Engine]) -> anyhow::Result<()> {
    let sets = namespace.api::<StatefulSet>();
    let touch =
        Patch::Merge(json!({ "metadata": { "annotations": { "example.com/touched": "" } } }));
    eventually("the policy to be in force", 30, || async {
        let dry = PatchParams::default().dry_run();
        Ok(sets
            .patch("anna", &dry, &touch)
            .await
            .is_err()
            .then_some(()))
    })
    .await?;
    say(namespace, json!({ "logLevel": "debug" })).await?;
    let [anna, others @ ..] = engines else {
        bail!("no engines");
    };
    anna.wait_reason("Ready", "ChildRefused").await?;
    eventually("the others to follow", 90, || async {
        let (_, new) = count(namespace, r#""value":"debug""#).await?;
        Ok((new == others.len()).then_some(()))
    })
    .await
}
