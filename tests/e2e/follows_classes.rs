use kube::Api;
use kube::api::{DeleteParams, PatchParams};
use serde_json::json;
use userengine_api::EngineClass;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, class, condition, eventually, in_namespace};

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
        let client = &namespace.client;
        let mut object = userengine_e2e::engine("alice", "alice");
        object["spec"]["className"] = json!(null);
        let engine = Engine::create(&namespace, object).await?;
        engine.wait_reason("Ready", "NoDefaultClass").await?;

        let names = [format!("a-{}", namespace.name), format!("b-{}", namespace.name)];
        let classes: Api<EngineClass> = Api::all(client.clone());
        for name in &names {
            class(client, name, json!({})).await?;
        }
        let mark = |value: serde_json::Value| json!({ "metadata": { "annotations": { "userengine.dev/is-default-class": value } } });
        let set = |name: String, value: serde_json::Value| {
            let classes = classes.clone();
            let patch = kube::api::Patch::Merge(mark(value));
            async move { classes.patch(&name, &PatchParams::default(), &patch).await }
        };
        let [a, b] = names;
        set(a.clone(), json!("true")).await?;
        engine.wait_phase(Phase::Ready).await?;
        set(b.clone(), json!("true")).await?;
        set(a.clone(), json!(null)).await?;
        // The mark moved; the engine stays.
        let status = engine.wait_phase(Phase::Ready).await?.status.unwrap_or_default();
        assert_eq!(status.class_name, Some(a.clone()));
        set(a.clone(), json!("true")).await?;
        let second = Engine::create(&namespace, {
            let mut object = userengine_e2e::engine("bob", "bob");
            object["spec"]["className"] = json!(null);
            object
        })
        .await?;
        let condition = second.wait_reason("Ready", "SeveralDefaultClasses").await?;
        assert!(condition.message.contains(&a) && condition.message.contains(&b), "{}", condition.message);
        for name in [a, b] {
            classes.delete(&name, &DeleteParams::default()).await?;
        }
        Ok(())
    })
    .await
}
