use anyhow::Context as _;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use userengine_api::EngineClass;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, Namespace, class, condition, eventually, in_namespace};

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
        Api::<EngineClass>::all(client.clone())
            .delete(&name, &DeleteParams::default())
            .await?;
        // A class that goes away takes nothing with it.
        engine.wait_reason("ClassResolved", "ClassNotFound").await?;
        assert!(engine.pod().await?.is_some());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_engine_without_a_class_takes_the_default_and_keeps_it() -> anyhow::Result<()> {
    in_namespace("default", |namespace| async move {
        let names = ["a", "b"].map(|class| format!("{class}-{}", namespace.name));
        let classes: Api<EngineClass> = Api::all(namespace.client.clone());
        for name in &names {
            class(&namespace.client, name, json!({})).await?;
        }
        let result = takes_the_default(&namespace, &classes, &names).await;
        // The mark of one that is left would be in the way of all that come after.
        for name in &names {
            classes.delete(name, &DeleteParams::default()).await?;
        }
        result
    })
    .await
}

async fn takes_the_default(
    namespace: &Namespace,
    classes: &Api<EngineClass>,
    [a, b]: &[String; 2],
) -> anyhow::Result<()> {
    let of_class = async |name: &str, class: Option<&str>| {
        let mut object = userengine_e2e::engine(name, name);
        let spec = object.get_mut("spec").and_then(Value::as_object_mut);
        let spec = spec.context("no spec")?;
        spec.insert("className".to_owned(), json!(class));
        spec.insert("suspended".to_owned(), json!(class.is_some()));
        Engine::create(namespace, object).await
    };
    let mark = async |name: &str, value: Value| {
        let mark =
            json!({ "metadata": { "annotations": { "userengine.dev/is-default-class": value } } });
        let params = PatchParams::default();
        classes.patch(name, &params, &Patch::Merge(mark)).await
    };
    let alice = of_class("alice", None).await?;
    alice.wait_reason("Ready", "NoDefaultClass").await?;
    mark(a, json!("true")).await?;
    alice.wait_phase(Phase::Ready).await?;
    mark(b, json!("true")).await?;
    mark(a, Value::Null).await?;
    // The mark moved; the engine stays.
    let status = alice.wait_phase(Phase::Ready).await?.status;
    assert_eq!(status.unwrap_or_default().class_name.as_ref(), Some(a));

    mark(a, json!("true")).await?;
    // Classes and engines are seen by two watches: an operator that knows a later class has heard of that mark.
    let later = format!("c-{}", namespace.name);
    class(&namespace.client, &later, json!({})).await?;
    let carol = of_class("carol", Some(&later)).await?;
    carol.wait_reason("ClassResolved", "AsExpected").await?;
    classes.delete(&later, &DeleteParams::default()).await?;
    let bob = of_class("bob", None).await?;
    let said = bob
        .wait_reason("Ready", "SeveralDefaultClasses")
        .await?
        .message;
    assert!(said.contains(a) && said.contains(b), "{said}");
    Ok(())
}
