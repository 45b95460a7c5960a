use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, eventually, in_namespace};

#[tokio::test]
async fn a_volume_grows_within_the_classes_bound_and_never_shrinks() -> anyhow::Result<()> {
    in_namespace("grow", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine
            .change(json!({ "storage": { "size": "128Mi" } }))
            .await?;
        eventually("the status to show the new size", 60, || async {
            let size = engine
                .get()
                .await?
                .status
                .and_then(|status| status.storage?.size);
            Ok((size.as_deref() == Some("128Mi")).then_some(()))
        })
        .await?;
        // More than the class allows: the volume stays as it is, and the engine goes on.
        engine
            .change(json!({ "storage": { "size": "1Gi" } }))
            .await?;
        let condition = engine
            .wait_reason("StorageReady", "SizeOutOfBounds")
            .await?;
        assert_eq!(condition.status, "True");
        assert!(condition.message.contains("256Mi"), "{}", condition.message);
        // Back to what it has, and to less than that: the class's default.
        engine
            .change(json!({ "storage": { "size": "128Mi" } }))
            .await?;
        engine.wait_reason("StorageReady", "AsExpected").await?;
        for less in [
            json!({ "storage": { "size": "64Mi" } }),
            json!({ "storage": null }),
        ] {
            engine.change(less).await?;
            engine.wait_reason("StorageReady", "ShrinkIgnored").await?;
        }
        let claim = namespace
            .api::<PersistentVolumeClaim>()
            .get("alice-brain")
            .await?;
        let capacity = claim
            .status
            .and_then(|status| status.capacity)
            .unwrap_or_default();
        assert_eq!(
            capacity.get("storage").map(|size| size.0.as_str()),
            Some("128Mi")
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_volume_that_cannot_grow_stays_and_its_engine_goes_on() -> anyhow::Result<()> {
    in_namespace("cannotgrow", |namespace| async move {
        let fixed = json!({ "storage": { "storageClassName": "fixed" } });
        let engine = Engine::of_class(&namespace, fixed).await?;
        engine.wait_phase(Phase::Ready).await?;
        let pod = engine.pod_uid().await?;
        engine
            .change(json!({ "storage": { "size": "128Mi" } }))
            .await?;
        let condition = engine.wait_reason("StorageReady", "GrowthRefused").await?;
        assert_eq!(condition.status, "True");
        assert!(
            condition.message.contains("alice-brain"),
            "{}",
            condition.message
        );
        engine.wait_phase(Phase::Ready).await?;
        assert_eq!(engine.pod_uid().await?, pod);
        // Back to what it has.
        engine.change(json!({ "storage": null })).await?;
        engine.wait_reason("StorageReady", "AsExpected").await?;
        Ok(())
    })
    .await
}
