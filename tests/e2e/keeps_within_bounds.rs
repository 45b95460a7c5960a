//! An engine has its own image, resources and variables within the bounds of its class, and stays as it is beyond them.

use anyhow::{Context as _, ensure};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use userengine_api::status::Phase;
use userengine_api::{EngineClass, UserEngine};
use userengine_e2e::{ENGINE_IMAGE, Engine, Namespace, class, engine, eventually, in_namespace};

fn bounds() -> Value {
    json!({
        "maxResources": { "cpu": "2", "memory": "512Mi" },
        "allowedEnv": ["GREETING", "PARTING"],
        "allowedEnvFrom": { "configMapNames": ["more"] },
        "tolerations": [{ "key": "example.com/engines", "operator": "Exists" }],
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "topologySpreadConstraints": [
            { "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway" },
        ],
    })
}

/// An engine that serves, of a class of its own, which has the namespace's name.
async fn serving(namespace: &Namespace, own: Value) -> anyhow::Result<Engine> {
    class(&namespace.client, &namespace.name, bounds()).await?;
    let mut object = engine("alice", "alice");
    if let (Some(Value::Object(spec)), Value::Object(own)) = (object.get_mut("spec"), own) {
        spec.insert("className".to_owned(), json!(namespace.name));
        spec.extend(own);
    }
    let engine = Engine::create(namespace, object).await?;
    engine.wait_phase(Phase::Ready).await?;
    Ok(engine)
}

async fn container(engine: &Engine) -> anyhow::Result<Value> {
    let pod = serde_json::to_value(engine.pod().await?.context("no pod")?)?;
    let container = pod.pointer("/spec/containers/0");
    container.cloned().context("no container")
}

/// Changes the spec, and waits until another pod serves.
async fn roll(engine: &Engine, own: Value) -> anyhow::Result<Value> {
    let before = engine.pod_uid().await?;
    engine.change(own).await?;
    eventually("another pod", 90, || async {
        let now = engine.pod_uid().await?;
        Ok((now.is_some() && now != before).then_some(()))
    })
    .await?;
    engine.wait_phase(Phase::Ready).await?;
    container(engine).await
}

/// Sees that this is refused in these words, and that the pod stays the one it is.
async fn stays(engine: &Engine, own: Value, reason: &str, words: &[&str]) -> anyhow::Result<()> {
    let before = engine.pod_uid().await?;
    engine.change(own).await?;
    let condition = engine.wait_reason("ClassResolved", reason).await?;
    ensure!(condition.status == "True", "{condition:?}");
    for word in words {
        ensure!(condition.message.contains(word), "{}", condition.message);
    }
    engine.wait_phase(Phase::Ready).await?;
    ensure!(engine.pod_uid().await? == before, "{reason}: another pod");
    Ok(())
}

async fn forget(namespace: &Namespace) -> anyhow::Result<()> {
    let classes: Api<EngineClass> = Api::all(namespace.client.clone());
    classes
        .delete(&namespace.name, &DeleteParams::default())
        .await?;
    Ok(())
}

#[tokio::test]
async fn what_is_within_the_bounds_reaches_the_pod_and_what_is_not_leaves_it_alone()
-> anyhow::Result<()> {
    in_namespace("bounds", |namespace| async move {
        let engine = serving(&namespace, json!({})).await?;
        let pod = serde_json::to_value(engine.pod().await?)?;
        ensure!(pod["spec"]["nodeSelector"] == json!({ "kubernetes.io/os": "linux" }));
        ensure!(pod["spec"]["tolerations"].to_string().contains("example.com/engines"));
        ensure!(pod["spec"]["topologySpreadConstraints"][0]["maxSkew"] == 1);

        let own = roll(&engine, json!({
            "image": ENGINE_IMAGE,
            "resources": { "limits": { "memory": "300Mi" } },
            "env": [{ "name": "GREETING", "value": "hello" }],
            "envFrom": [{ "prefix": "MORE_", "configMapRef": { "name": "more", "optional": true } }],
        })).await?;
        ensure!(own["resources"]["limits"]["memory"] == "300Mi", "{own}");
        ensure!(own["env"].to_string().contains(r#""name":"GREETING","value":"hello""#), "{own}");
        ensure!(own["envFrom"][0]["prefix"] == "MORE_", "{own}");

        let image = json!({ "image": "registry.example.com/engine-of-mallory:1" });
        stays(&engine, image, "ImageNotAllowed", &["engine-of-mallory:1", ENGINE_IMAGE]).await?;
        let source = json!({ "image": null, "envFrom": [{ "prefix": "MORE_", "secretRef": { "name": "others" } }] });
        stays(&engine, source, "EnvNotAllowed", &["Secret 'others' of spec.envFrom", "(none)"]).await?;
        let memory = json!({ "envFrom": null, "resources": { "limits": { "memory": "1Gi" } } });
        stays(&engine, memory, "ResourcesOutOfBounds", &["limits.memory 1Gi", "512Mi"]).await?;
        let variable = json!({ "resources": null, "env": [{ "name": "OTHER", "value": "" }] });
        stays(&engine, variable, "EnvNotAllowed", &["'OTHER'", "GREETING, PARTING"]).await?;
        ensure!(container(&engine).await? == own, "the pod has what it had");

        let back = roll(&engine, json!({ "env": [{ "name": "PARTING", "value": "bye" }], "envFrom": null })).await?;
        ensure!(back["env"].to_string().contains("PARTING"), "{back}");
        ensure!(back["resources"]["limits"]["memory"] == "256Mi", "{back}");
        ensure!(back.get("envFrom").is_none(), "{back}");
        engine.wait_reason("ClassResolved", "AsExpected").await?;
        forget(&namespace).await
    })
    .await
}

/// The same image by its id, which is another name to everybody but the node.
async fn by_its_id(engine: &Engine) -> anyhow::Result<String> {
    let pod = serde_json::to_value(engine.pod().await?)?;
    let id = pod.pointer("/status/containerStatuses/0/imageID");
    let id = id.and_then(Value::as_str).context("no id")?;
    Ok(id.to_owned())
}

#[tokio::test]
async fn an_engine_goes_over_to_another_image_that_its_class_allows_and_comes_back()
-> anyhow::Result<()> {
    in_namespace("images", |namespace| async move {
        let engine = serving(&namespace, json!({})).await?;
        let other = by_its_id(&engine).await?;
        let brain = engine.get().await?.status.and_then(|it| it.storage);
        let mut wider = bounds();
        wider["allowedImages"] = json!([other]);
        engine.class(wider).await?;
        let own = roll(&engine, json!({ "image": other })).await?;
        ensure!(own["image"] == *other, "{own}");
        let own = roll(&engine, json!({ "image": null })).await?;
        ensure!(own["image"] == ENGINE_IMAGE, "{own}");
        let same = engine.get().await?.status.and_then(|it| it.storage);
        ensure!(same == brain, "{brain:?} became {same:?}");
        forget(&namespace).await
    })
    .await
}

#[tokio::test]
async fn a_class_that_allows_less_leaves_what_runs_alone() -> anyhow::Result<()> {
    in_namespace("narrower", |namespace| async move {
        let own = json!({ "resources": { "limits": { "memory": "300Mi" } } });
        let engine = serving(&namespace, own).await?;
        let before = engine.pod_uid().await?;
        let narrower =
            json!({ "maxResources": { "cpu": "1", "memory": "256Mi" }, "logLevel": "debug" });
        class(&namespace.client, &namespace.name, narrower).await?;
        let condition = engine
            .wait_reason("ClassResolved", "ResourcesOutOfBounds")
            .await?;
        ensure!(condition.message.contains("256Mi"), "{}", condition.message);

        // Its key is changed all the same, by what runs.
        engine
            .change(json!({ "encryption": { "rotation": { "id": "r-1" } } }))
            .await?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        let limits = container(&engine).await?["resources"]["limits"]["memory"].clone();
        ensure!(limits == "300Mi", "{limits}");
        ensure!(
            engine.pod_uid().await? != before,
            "the rotation made another pod"
        );

        // Once stopped it is not started with more than the class allows.
        engine.change(json!({ "suspended": true })).await?;
        engine.wait_phase(Phase::Suspended).await?;
        engine.change(json!({ "suspended": false })).await?;
        let ready = engine.wait_reason("Ready", "ResourcesOutOfBounds").await?;
        ensure!(
            ready.status == "False" && ready.message.contains("not started"),
            "{ready:?}"
        );
        ensure!(engine.pod().await?.is_none());
        engine.change(json!({ "resources": null })).await?;
        engine.wait_phase(Phase::Ready).await?;
        forget(&namespace).await
    })
    .await
}

#[tokio::test]
async fn an_engine_is_not_born_outside_the_bounds() -> anyhow::Result<()> {
    in_namespace("unborn", |namespace| async move {
        let mut object = engine("alice", "alice");
        object["spec"]["image"] = json!("registry.example.com/other:1");
        let engine = Engine::create(&namespace, object).await?;
        engine.wait_phase(Phase::Blocked).await?;
        let condition = engine.wait_reason("Ready", "ImageNotAllowed").await?;
        ensure!(
            condition.message.contains(ENGINE_IMAGE),
            "{}",
            condition.message
        );
        let born: UserEngine = engine.get().await?;
        ensure!(born.status.is_none_or(|status| status.storage.is_none()));
        engine.change(json!({ "image": null })).await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}
