use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret, Service};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;
use userengine_api::labels;
use userengine_api::status::Phase;
use userengine_e2e::trouble::{LOOK, is_told_once, is_told_once_since, says};
use userengine_e2e::{Engine, Namespace, eventually, in_namespace};

#[tokio::test]
async fn a_child_that_somebody_else_owns_is_not_taken() -> anyhow::Result<()> {
    in_namespace("strangers", |namespace| async move {
        let service =
            json!({ "metadata": { "name": "alice" }, "spec": { "ports": [{ "port": 1 }] } });
        let theirs: Service = namespace.create_object(service).await?;
        let engine = Engine::create(&namespace, userengine_e2e::engine("alice", "alice")).await?;
        // The children come after the claim.
        let claims = namespace.api::<PersistentVolumeClaim>();
        let said = says(&engine, ("Ready", "ChildNotOurs"), || async {
            Ok(claims.get_opt("alice-brain").await?.is_some())
        })
        .await?
        .message;
        assert!(said.contains("Service 'alice'"), "{said}");
        engine.wait_phase(Phase::Blocked).await?;
        // That the volume is bound is written meanwhile.
        is_told_once_since(&engine, "ChildNotOurs", 0, LOOK).await?;
        let now = namespace.api::<Service>().get("alice").await?;
        assert_eq!(
            now.resource_version(),
            theirs.resource_version(),
            "it was touched"
        );
        // Once it is out of the way, the engine comes up.
        namespace
            .api::<Service>()
            .delete("alice", &DeleteParams::default())
            .await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

/// Somebody else's, under the name of an engine's API key.
async fn strange_key(namespace: &Namespace) -> anyhow::Result<Secret> {
    let secret =
        json!({ "metadata": { "name": "alice-api-key" }, "stringData": { "key": "theirs" } });
    namespace.create_object(secret).await
}

#[tokio::test]
async fn an_api_key_secret_that_somebody_else_made_is_not_taken() -> anyhow::Result<()> {
    in_namespace("strangekey", |namespace| async move {
        let theirs = strange_key(&namespace).await?;
        let engine = Engine::create(&namespace, userengine_e2e::engine("alice", "alice")).await?;
        // Secrets are not watched: the making of the engine leads to the look.
        says(&engine, ("Ready", "ChildNotOurs"), || async { Ok(true) }).await?;
        is_told_once(&engine, "ChildNotOurs", LOOK).await?;
        let now = namespace.api::<Secret>().get("alice-api-key").await?;
        assert_eq!(
            now.resource_version(),
            theirs.resource_version(),
            "it was touched"
        );
        let finalizers = engine.get().await?.metadata.finalizers;
        assert_eq!(finalizers, Some(vec![labels::ENGINE_FINALIZER.to_owned()]));
        // Once it is out of the way, the engine comes up.
        let secrets = namespace.api::<Secret>();
        secrets
            .delete("alice-api-key", &DeleteParams::default())
            .await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_wish_to_stop_waits_for_no_stranger() -> anyhow::Result<()> {
    in_namespace("strangestop", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let secrets = namespace.api::<Secret>();
        let at_once = DeleteParams::default();
        secrets.delete("alice-api-key", &at_once).await?;
        strange_key(&namespace).await?;
        engine.change(json!({ "suspended": true })).await?;
        // Secrets are not watched: what is wished leads to the look.
        says(&engine, ("Ready", "ChildNotOurs"), || async { Ok(true) }).await?;
        eventually("the engine to stop", 60, || async {
            Ok(engine.pod().await?.is_none().then_some(()))
        })
        .await?;
        is_told_once_since(&engine, "ChildNotOurs", 0, LOOK).await?;
        secrets.delete("alice-api-key", &at_once).await?;
        engine.wait_phase(Phase::Suspended).await?;
        engine.change(json!({ "suspended": false })).await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_volume_that_was_there_first_counts_as_data_and_gets_no_key() -> anyhow::Result<()> {
    in_namespace("found", |namespace| async move {
        let claim = json!({
            "metadata": { "name": "alice-brain" },
            "spec": { "accessModes": ["ReadWriteOncePod"], "resources": { "requests": { "storage": "64Mi" } } },
        });
        let _: PersistentVolumeClaim = namespace.create_object(claim).await?;
        let engine = Engine::create(&namespace, userengine_e2e::engine("alice", "alice")).await?;
        let condition = says(&engine, ("Ready", "KeyUnknown"), || async { Ok(true) }).await?;
        // That the volume is bound is written meanwhile.
        is_told_once_since(&engine, "KeyUnknown", 0, LOOK).await?;
        assert!(condition.message.contains("Adopt a volume"), "{}", condition.message);
        let secrets = namespace.api::<Secret>().list(&ListParams::default()).await?;
        assert!(secrets.items.is_empty(), "a key was made for a volume that may hold a brain");
        assert!(engine.pod().await?.is_none());
        Ok(())
    })
    .await
}
