use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use userengine_api::labels;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, condition, eventually, in_namespace, inside};

#[tokio::test]
async fn an_engine_of_the_same_name_and_user_takes_up_the_brain() -> anyhow::Result<()> {
    in_namespace("adopt", |namespace| async move {
        let first = Engine::ready(&namespace, "alice", "alice").await?;
        let before = inside(&first).await?;
        first.delete().await?;
        // At once: the former children may not even be collected yet.
        let second = Engine::ready(&namespace, "alice", "alice").await?;
        let after = eventually("the new engine to answer", 30, || async {
            Ok(inside(&second).await.ok())
        })
        .await?;
        assert_eq!(after["database_id"], before["database_id"]);
        assert_eq!(after["write_kid"], before["write_kid"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn where_no_engine_ever_ran_the_next_one_begins() -> anyhow::Result<()> {
    in_namespace("neverran", |namespace| async move {
        let mut object = userengine_e2e::engine("alice", "alice");
        object["spec"]["suspended"] = true.into();
        let first = Engine::create(&namespace, object).await?;
        first.wait_phase(Phase::Suspended).await?;
        first.delete().await?;
        let said = || async {
            let claims = namespace.api::<PersistentVolumeClaim>();
            let claim = claims.get("alice-brain").await?;
            anyhow::Ok(claim.annotations().get(labels::INITIALISED).cloned())
        };
        assert_eq!(said().await?.as_deref(), Some("false"));
        Engine::ready(&namespace, "alice", "alice").await?;
        assert_eq!(said().await?.as_deref(), Some("true"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_engine_of_another_user_does_not_get_the_brain() -> anyhow::Result<()> {
    in_namespace("steal", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice")
            .await?
            .delete()
            .await?;
        let thief = Engine::create(&namespace, userengine_e2e::engine("alice", "mallory")).await?;
        let seen = thief.wait_phase(Phase::Blocked).await?;
        let ready =
            condition(&seen, "Ready").map(|condition| (condition.reason, condition.message));
        let (reason, message) = ready.unwrap_or_default();
        assert_eq!(reason, "ClaimForeign");
        assert!(
            message.contains("alice-brain") && message.contains("choose another name"),
            "{message}"
        );
        assert!(
            eventually("no pod", 60, || async {
                Ok(thief.pod().await?.is_none().then_some(true))
            })
            .await?
        );
        thief.delete().await?;
        // Nothing was lost on the way.
        Engine::ready(&namespace, "alice", "alice").await?;
        Ok(())
    })
    .await
}
