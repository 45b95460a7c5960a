//! The operator is not needed for engines to serve, and its absence loses nothing.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::{
    Engine, OPERATORS, SYSTEM, eventually, holds, in_namespace, scale_operators, wait_for_operators,
};

#[tokio::test]
async fn alone_a_restarted_operator_writes_nothing_that_is_not_needed() -> anyhow::Result<()> {
    in_namespace("restart", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        eventually("the version", 30, || async {
            Ok(engine.get().await?.status.and_then(|s| s.engine?.version))
        })
        .await?;
        let sets = namespace.api::<StatefulSet>();
        let versions = async || {
            // Its controller writes the status.
            let set = sets.get("alice").await?.metadata.generation;
            anyhow::Ok((engine.get().await?.resource_version(), set))
        };
        engine.wait_rest().await?;
        let before = versions().await?;
        let operators: Api<Pod> = Api::namespaced(namespace.client.clone(), SYSTEM);
        operators
            .delete_collection(
                &DeleteParams::default().grace_period(0),
                &ListParams::default().labels(OPERATORS),
            )
            .await?;
        wait_for_operators(&namespace.client, 1).await?;
        holds(
            "a restarted operator leaves a converged engine alone",
            5,
            || async { Ok(versions().await? == before) },
        )
        .await
    })
    .await
}

#[tokio::test]
async fn alone_what_happened_while_the_operator_was_away_is_made_good() -> anyhow::Result<()> {
    in_namespace("absent", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        scale_operators(&namespace.client, 0).await?;
        let while_it_is_away = async {
            wait_for_operators(&namespace.client, 0).await?;
            engine.change(json!({ "suspended": true })).await?;
            namespace
                .api::<k8s_openapi::api::core::v1::Service>()
                .delete("alice", &DeleteParams::default())
                .await?;
            engine.replace_pod().await
        }
        .await;
        // Whatever came of it: the others need an operator.
        scale_operators(&namespace.client, 1).await?;
        while_it_is_away?;
        wait_for_operators(&namespace.client, 1).await?;
        engine.wait_phase(Phase::Suspended).await?;
        eventually("the Service to be back", 30, || async {
            Ok(namespace
                .api::<k8s_openapi::api::core::v1::Service>()
                .get_opt("alice")
                .await?
                .map(drop))
        })
        .await
    })
    .await
}
