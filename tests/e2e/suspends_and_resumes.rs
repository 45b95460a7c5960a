use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret, Service};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;
use userengine_api::names::Names;
use userengine_api::status::Phase;
use userengine_e2e::trouble::{container, is_running};
use userengine_e2e::{Engine, eventually, in_namespace, inside, is_ready};

/// Names of the Secrets with an engine's encryption keys.
pub async fn key_secrets(engine: &Engine) -> anyhow::Result<Vec<String>> {
    let prefix = Names(&engine.name).key("");
    let secrets = engine.namespace.api::<Secret>();
    let secrets = secrets.list(&ListParams::default()).await?;
    let names = secrets.iter().map(ResourceExt::name_any);
    Ok(names.filter(|name| name.starts_with(&prefix)).collect())
}

#[tokio::test]
async fn a_suspended_engine_has_no_pod_and_comes_back_with_its_brain() -> anyhow::Result<()> {
    in_namespace("suspend", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let before = inside(&engine).await?;
        let claim = namespace
            .api::<PersistentVolumeClaim>()
            .get("alice-brain")
            .await?
            .uid();

        engine.change(json!({ "suspended": true })).await?;
        engine.wait_phase(Phase::Suspended).await?;
        assert!(
            engine.pod().await?.is_none(),
            "a suspended engine has a pod"
        );
        namespace
            .api::<Service>()
            .get("alice")
            .await
            .context("the address went away")?;
        let kept = namespace
            .api::<PersistentVolumeClaim>()
            .get("alice-brain")
            .await?;
        assert_eq!(kept.uid(), claim);

        engine.change(json!({ "suspended": false })).await?;
        engine.wait_phase(Phase::Ready).await?;
        let after = inside(&engine).await?;
        assert_eq!(after["database_id"], before["database_id"]);
        assert_eq!(after["write_kid"], before["write_kid"]);
        assert_eq!(
            after["open_count"].as_i64(),
            before["open_count"].as_i64().map(|count| count + 1)
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_killed_pod_comes_back_with_its_brain() -> anyhow::Result<()> {
    in_namespace("kill", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let before = inside(&engine).await?;
        engine.replace_pod().await?;
        let after = inside(&engine).await?;
        assert_eq!(after["database_id"], before["database_id"]);
        assert!(
            after["open_count"].as_i64() > before["open_count"].as_i64(),
            "{after}"
        );
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_engine_can_be_suspended_before_it_ever_ran() -> anyhow::Result<()> {
    in_namespace("asleep", |namespace| async move {
        let mut object = userengine_e2e::engine("alice", "alice");
        object["spec"]["suspended"] = json!(true);
        let engine = Engine::create(&namespace, object).await?;
        engine.wait_phase(Phase::Suspended).await?;
        assert!(engine.pod().await?.is_none());
        engine.change(json!({ "suspended": false })).await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

/// Suspends an engine that comes up, and resumes it: its brain is the one that was begun, or would have been, with its only key.
async fn begins_again(engine: &Engine) -> anyhow::Result<()> {
    engine.change(json!({ "suspended": true })).await?;
    engine.wait_phase(Phase::Suspended).await?;
    ensure!(
        engine.pod().await?.is_none(),
        "a suspended engine has a pod"
    );
    engine.change(json!({ "suspended": false })).await?;
    let ready = engine.wait_phase(Phase::Ready).await?;
    let said = inside(engine).await?;
    let key = engine.key_in("active").await?;
    let should = [
        ("database_id", json!(ready.uid())),
        ("write_kid", json!(key)),
        ("held_kids", json!([key])),
    ];
    for (what, value) in should {
        ensure!(
            said.get(what) == Some(&value),
            "{what} is not {value}: {said}"
        );
    }
    let secrets = key_secrets(engine).await?;
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    Ok(())
}

#[tokio::test]
async fn an_engine_that_is_suspended_as_its_pod_is_being_made_begins_again() -> anyhow::Result<()> {
    in_namespace("placed", |namespace| async move {
        let engine = Engine::create(&namespace, userengine_e2e::engine("alice", "alice")).await?;
        eventually("its pod to have a node", 90, || async {
            let spec = engine.pod().await?.and_then(|pod| pod.spec);
            Ok(spec.and_then(|spec| spec.node_name).map(drop))
        })
        .await?;
        begins_again(&engine).await
    })
    .await
}

#[tokio::test]
async fn an_engine_that_is_suspended_before_its_first_answer_begins_again() -> anyhow::Result<()> {
    in_namespace("begun", |namespace| async move {
        // An engine may be Ready before anybody looks: then it is another one's turn.
        for name in ["alice", "bob", "carol"] {
            let engine = Engine::create(&namespace, userengine_e2e::engine(name, name)).await?;
            eventually("its container to run", 90, || async {
                Ok(container(&engine, is_running).await?.then_some(()))
            })
            .await?;
            let was_ready = engine.pod().await?.as_ref().is_some_and(is_ready);
            begins_again(&engine).await?;
            if !was_ready {
                break;
            }
        }
        Ok(())
    })
    .await
}
