//! An operator that is told which namespaces are its own.

use anyhow::ensure;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, ServiceAccount};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use userengine_api::UserEngine;
use userengine_api::status::Phase;
use userengine_e2e::attempts::account;
use userengine_e2e::{Engine, Namespace, chart, engine, in_namespace, may};

#[tokio::test]
async fn alone_an_operator_of_some_namespaces_has_no_business_in_others() -> anyhow::Result<()> {
    in_namespace("watched", |watched| async move {
        in_namespace("elsewhere", |elsewhere| async move {
            let before = chart::values().await?;
            let mut values = before.clone();
            values["watchNamespaces"] = json!([watched.name]);
            let told = chart::upgrade(&values).await;
            let kept = keeps_to(&watched, &elsewhere).await;
            // The hook that runs before it goes lists in these namespaces as well.
            let gone = chart::uninstall().await;
            // Whatever came of it: the others need an operator.
            chart::install(&before).await?;
            told.and(kept).and(gone)?;
            let engine = Engine {
                name: "bob".to_owned(),
                namespace: elsewhere,
            };
            engine.wait_phase(Phase::Ready).await?;
            Ok(())
        })
        .await
    })
    .await
}

async fn keeps_to(watched: &Namespace, elsewhere: &Namespace) -> anyhow::Result<()> {
    let bob = Engine::create(elsewhere, engine("bob", "bob")).await?;
    let alice = Engine::ready(watched, "alice", "alice").await?;
    alice.rotate(json!({ "id": "r-1" })).await?;
    alice.wait_rotation("r-1", "Certified").await?;
    alice.wait_phase(Phase::Ready).await?;

    let bob: UserEngine = bob.get().await?;
    ensure!(bob.status.is_none(), "{:?}", bob.status);
    ensure!(bob.finalizers().is_empty(), "{:?}", bob.finalizers());
    nothing(&elsewhere.api::<PersistentVolumeClaim>()).await?;
    nothing(&elsewhere.api::<StatefulSet>()).await?;
    let accounts: Api<ServiceAccount> = elsewhere.api();
    ensure!(
        accounts.get_opt("bob").await?.is_none(),
        "an account was made"
    );

    let (client, account) = (&watched.client, account());
    for what in [
        ("get", "", "secrets"),
        ("create", "apps", "statefulsets"),
        ("list", "userengine.dev", "userengines"),
        ("list", "", "pods"),
        ("get", "", "namespaces"),
    ] {
        let here = may(client, &account, &watched.name, what).await?;
        let there = may(client, &account, &elsewhere.name, what).await?;
        ensure!(!there, "{what:?} elsewhere");
        // Whether one may get a namespace is asked with its name.
        ensure!(
            here || what.2 == "namespaces",
            "not {what:?} where it is to"
        );
    }
    Ok(())
}

async fn nothing<K>(objects: &Api<K>) -> anyhow::Result<()>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let found = objects.list(&ListParams::default()).await?.items;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}
