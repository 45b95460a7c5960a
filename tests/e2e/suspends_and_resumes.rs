use anyhow::Context as _;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Service};
use kube::ResourceExt;
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, in_namespace, inside};

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
