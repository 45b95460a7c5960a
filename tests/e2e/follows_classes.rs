use anyhow::Context as _;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use userengine_api::EngineClass;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, Namespace, class, condition, eventually, holds, in_namespace};

#[tokio::test]
async fn an_engine_waits_for_its_class_and_follows_its_changes() -> anyhow::Result<()> {
    in_namespace("classes", |namespace| async move {
        let client = &namespace.client;
        let name = format!("late-{}", namespace.name);
        let mut object = userengine_e2e::engine("alice", "alice");
        object["spec"]["className"] = json!(name);
        let engine = Engine::create(&namespace, object).await?;
        let seen = engine.wait_phase(Phase::Blocked).await?;
        let ready = condition(&seen, "Ready")
            .map(|condition| (condition.reason, condition.message))
            .unwrap_or_default();
        assert_eq!(ready.0, "ClassNotFound");
        assert!(
            ready.1.contains(&name) && ready.1.contains("kubectl get engineclasses"),
            "{}",
            ready.1
        );

        class(client, &name, json!({})).await?;
        engine.wait_phase(Phase::Ready).await?;
        class(client, &name, json!({ "logLevel": "debug" })).await?;
        eventually("the pod to follow the class", 60, || async {
            let pod = serde_json::to_value(engine.pod().await?)?;
            Ok(pod["spec"]["containers"][0]["env"]
                .to_string()
                .contains(r#""value":"debug""#)
                .then_some(()))
        })
        .await?;
        // What the class no longer says goes away as well.
        class(client, &name, json!({ "publicURL": null })).await?;
        eventually("the pod to follow the class again", 60, || async {
            let pod = serde_json::to_value(engine.pod().await?)?;
            let env = pod["spec"]["containers"][0]["env"].to_string();
            Ok((env.contains("LISTEN_ADDR") && !env.contains("PUBLIC_URL")).then_some(()))
        })
        .await?;
        engine.wait_phase(Phase::Ready).await?;
        let before = engine.pod_uid().await?.context("no pod")?;
        Api::<EngineClass>::all(client.clone())
            .delete(&name, &DeleteParams::default())
            .await?;
        // A class that goes away takes nothing with it.
        engine.wait_reason("ClassResolved", "ClassNotFound").await?;
        holds("its pod stays", 5, || async {
            let pod = engine.pod().await?;
            let same = pod.filter(|pod| pod.uid().as_ref() == Some(&before));
            Ok(same.is_some_and(|pod| pod.metadata.deletion_timestamp.is_none()))
        })
        .await
    })
    .await
}

#[tokio::test]
async fn an_engine_without_a_class_takes_the_default_and_keeps_it() -> anyhow::Result<()> {
    in_namespace("default", |namespace| async move {
        let names = ["a", "b"].map(|class| format!("{class}-{}", namespace.name));
        let classes: Api<EngineClass> = Api::all(namespace.client.clone());
        let [a, b] = &names;
        class(&namespace.client, a, json!({})).await?;
        // Whoever went over to it would get another pod.
        class(&namespace.client, b, json!({ "logLevel": "debug" })).await?;
        let result = takes_the_default(&namespace, &classes, &names).await;
        // The mark of one that is left would be in the way of all that come after.
        for name in &names {
            classes.delete(name, &DeleteParams::default()).await?;
        }
        result
    })
    .await
}

/// Creates an engine; one that names a class sleeps.
async fn of_class(
    namespace: &Namespace,
    name: &str,
    class: Option<&str>,
) -> anyhow::Result<Engine> {
    let mut object = userengine_e2e::engine(name, name);
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    let spec = spec.context("no spec")?;
    spec.insert("className".to_owned(), json!(class));
    spec.insert("suspended".to_owned(), json!(class.is_some()));
    Engine::create(namespace, object).await
}

/// Waits until the operator has heard of every mark so far. Classes and engines are seen by two watches: an operator that knows
/// the class of this new engine, which came later, has heard of them.
async fn has_heard(
    namespace: &Namespace,
    classes: &Api<EngineClass>,
    name: &str,
) -> anyhow::Result<()> {
    let later = format!("{name}-{}", namespace.name);
    class(&namespace.client, &later, json!({})).await?;
    let engine = of_class(namespace, name, Some(&later)).await?;
    engine.wait_reason("ClassResolved", "AsExpected").await?;
    classes.delete(&later, &DeleteParams::default()).await?;
    Ok(())
}

/// The engine follows this class, in this pod.
async fn stays(engine: &Engine, class: &str, pod: &str) -> anyhow::Result<()> {
    let status = engine.get().await?.status.unwrap_or_default();
    assert_eq!(status.class_name.as_deref(), Some(class));
    assert_eq!(engine.pod_uid().await?.as_deref(), Some(pod));
    Ok(())
}

async fn takes_the_default(
    namespace: &Namespace,
    classes: &Api<EngineClass>,
    [a, b]: &[String; 2],
) -> anyhow::Result<()> {
    let mark = async |name: &str, value: Value| {
        let mark =
            json!({ "metadata": { "annotations": { "userengine.dev/is-default-class": value } } });
        let params = PatchParams::default();
        classes.patch(name, &params, &Patch::Merge(mark)).await
    };
    let alice = of_class(namespace, "alice", None).await?;
    alice.wait_reason("Ready", "NoDefaultClass").await?;
    mark(a, json!("true")).await?;
    alice.wait_phase(Phase::Ready).await?;
    let pod = alice.pod_uid().await?.context("no pod")?;
    mark(b, json!("true")).await?;
    mark(a, Value::Null).await?;
    has_heard(namespace, classes, "carol").await?;
    // Any change leads to a look: the mark moved, and the engine stays.
    alice.change(json!({ "deletionPolicy": "Delete" })).await?;
    alice.wait_phase(Phase::Ready).await?;
    stays(&alice, a, &pod).await?;

    mark(a, json!("true")).await?;
    has_heard(namespace, classes, "dora").await?;
    let bob = of_class(namespace, "bob", None).await?;
    let said = bob
        .wait_reason("Ready", "SeveralDefaultClasses")
        .await?
        .message;
    assert!(said.contains(a) && said.contains(b), "{said}");
    stays(&alice, a, &pod).await
}
