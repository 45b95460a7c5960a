use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::PostParams;
use serde_json::json;
use userengine_api::UserEngine;
use userengine_e2e::trouble::allows;
use userengine_e2e::{Engine, engine, eventually, in_namespace};

/// How many engines a namespace may have, in the words of Kubernetes.
const COUNT: &str = "count/userengines.userengine.dev";

#[tokio::test]
async fn an_engine_over_quota_never_exists() -> anyhow::Result<()> {
    in_namespace("quota", |namespace| async move {
        let quota =
            json!({ "metadata": { "name": "engines" }, "spec": { "hard": { COUNT: "1" } } });
        namespace.create_object::<ResourceQuota>(quota).await?;
        allows(&namespace, "engines", COUNT, "1").await?;
        Engine::create(&namespace, engine("alice", "alice")).await?;
        eventually("it to be counted", 60, || async {
            let quota: ResourceQuota = namespace.api().get("engines").await?;
            let used = quota.status.and_then(|status| status.used);
            let counted = used.is_some_and(|used| used.get(COUNT).is_some_and(|it| it.0 == "1"));
            Ok(counted.then_some(()))
        })
        .await?;
        let bob: UserEngine = serde_json::from_value(engine("bob", "bob"))?;
        let refused = namespace.api().create(&PostParams::default(), &bob).await;
        let Err(kube::Error::Api(status)) = refused else {
            panic!("it was let through: {refused:?}");
        };
        assert_eq!(status.code, 403);
        assert!(
            status.message.contains("exceeded quota: engines"),
            "{status:?}"
        );
        assert!(
            namespace
                .api::<UserEngine>()
                .get_opt("bob")
                .await?
                .is_none()
        );

        let more = json!({ "spec": { "hard": { COUNT: "2" } } });
        namespace.merge::<ResourceQuota>("engines", more).await?;
        allows(&namespace, "engines", COUNT, "2").await?;
        // What admission knows of a quota may be a moment older.
        eventually("another one to be let in", 30, || async {
            let created = namespace.api().create(&PostParams::default(), &bob).await;
            Ok(Some(created.map(drop)?))
        })
        .await
    })
    .await
}
