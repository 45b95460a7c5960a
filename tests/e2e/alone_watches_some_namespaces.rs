//! An operator that is told which namespaces are its own.

use anyhow::ensure;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    Namespace as CoreNamespace, PersistentVolumeClaim, Pod, ServiceAccount,
};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use userengine_api::UserEngine;
use userengine_api::status::Phase;
use userengine_e2e::attempts::account;
use userengine_e2e::{
    Engine, Namespace, SYSTEM, chart, engine, eventually, in_namespace, leader, may,
    wait_for_next_leader,
};

#[tokio::test]
async fn alone_an_operator_of_some_namespaces_has_no_business_in_others() -> anyhow::Result<()> {
    in_namespace("watched", |watched| async move {
        in_namespace("elsewhere", |elsewhere| async move {
            let before = chart::values().await?;
            let mut values = before.clone();
            let doomed = doomed(&watched).await?;
            values["watchNamespaces"] = json!([watched.name, doomed]);
            let told = chart::upgrade(&values).await;
            let restarted = starts_without(&watched, &doomed).await;
            let kept = keeps_to(&watched, &elsewhere).await;
            values["watchNamespaces"] = json!([watched.name]);
            let told = told.and(restarted).and(chart::upgrade(&values).await);
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

/// One more namespace, which does not last.
async fn doomed(beside: &Namespace) -> anyhow::Result<String> {
    let name = format!("{}-doomed", beside.name);
    let namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
    let namespaces: Api<CoreNamespace> = Api::all(beside.client.clone());
    namespaces
        .create(&PostParams::default(), &namespace)
        .await?;
    Ok(name)
}

/// An operator that starts without one of its namespaces serves the others.
async fn starts_without(watched: &Namespace, doomed: &str) -> anyhow::Result<()> {
    let client = &watched.client;
    let namespaces: Api<CoreNamespace> = Api::all(client.clone());
    namespaces.delete(doomed, &DeleteParams::default()).await?;
    eventually("the namespace to be gone", 60, || async {
        let found = namespaces.get_opt(doomed).await?;
        Ok(found.is_none().then_some(()))
    })
    .await?;
    let last = leader(client).await?.unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    pods.delete(&last, &DeleteParams::default()).await?;
    wait_for_next_leader(client, &last, 60).await?;
    Ok(())
}

async fn keeps_to(watched: &Namespace, elsewhere: &Namespace) -> anyhow::Result<()> {
    let bob = Engine::create(elsewhere, engine("bob", "bob")).await?;
    let alice = Engine::ready(watched, "alice", "alice").await?;
    alice.rotate(json!({ "id": "r-1" })).await?;
    alice.wait_rotation("r-1", "Certified").await?;
    alice.wait_phase(Phase::Ready).await?;

    let bob: UserEngine = bob.get().await?;
    nobody_has_spoken(&bob)?;
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

/// It says what the definition gives it: nothing that could be taken for health.
fn nobody_has_spoken(engine: &UserEngine) -> anyhow::Result<()> {
    let status = engine.status.clone().unwrap_or_default();
    let conditions = status.conditions.iter();
    let conditions: Vec<_> = conditions
        .map(|it| (it.type_.as_str(), it.status.as_str(), it.reason.as_str()))
        .collect();
    ensure!(
        !status.is_told()
            && status.phase == Some(Phase::Pending)
            && conditions == [("Ready", "Unknown", "Pending")],
        "{status:?}"
    );
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
