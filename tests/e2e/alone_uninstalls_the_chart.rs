//! The chart goes, and what it was for stays.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, ResourceExt};
use rustix::process::Signal;
use serde_json::json;
use tokio::process::Command;
use userengine_api::status::Phase;
use userengine_api::{UserEngine, labels};
use userengine_e2e::chart::{install, uninstall, values};
use userengine_e2e::machine::signal;
use userengine_e2e::{Engine, SYSTEM, eventually, in_namespace, is_ready};

/// What the chart runs before it goes.
const FAREWELL: &str = "userengine-pre-delete";

#[tokio::test]
async fn alone_uninstalling_the_chart_keeps_definitions_and_engines() -> anyhow::Result<()> {
    in_namespace("uninstall", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let pod = engine.pod_uid().await?;
        let values = values().await?;
        uninstall().await?;
        let kept = kept(&namespace.client).await;
        let undisturbed = engine.pod_uid().await? == pod;
        install(&values).await?;
        kept?;
        ensure!(undisturbed, "the engine was disturbed");
        namespace.api::<UserEngine>().get("alice").await?;
        engine.change(json!({ "suspended": true })).await?;
        engine.wait_phase(Phase::Suspended).await?;
        Ok(())
    })
    .await
}

async fn kept(client: &Client) -> anyhow::Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in ["userengines.userengine.dev", "engineclasses.userengine.dev"] {
        let definition = definitions.get(name).await;
        let definition = definition.context("a definition went away with the chart")?;
        ensure!(definition.metadata.deletion_timestamp.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn alone_an_uninstall_waits_until_a_rotation_has_brought_its_engine_back()
-> anyhow::Result<()> {
    in_namespace("farewell", |namespace| async move {
        let engine =
            Engine::of_class(&namespace, json!({ "terminationGracePeriodSeconds": 120 })).await?;
        engine.wait_phase(Phase::Ready).await?;
        let values = values().await?;
        // It does not hear that it is to stop, and so the rotation takes until it is killed.
        let pod = engine.pod().await?.context("no pod")?;
        ensure!(signal(&pod, "engine", Signal::STOP)? > 0, "no process");
        engine.rotate(json!({ "id": "r-1" })).await?;
        eventually("the engine to be stopped for it", 60, || async {
            let phase = engine.get().await?.status.and_then(|status| status.phase);
            Ok((phase == Some(Phase::Rotating)).then_some(()))
        })
        .await?;
        let waited_for = async {
            let said = says_whom_it_waits_for(&engine).await;
            ensure!(signal(&pod, "engine", Signal::KILL)? > 0, "no process");
            said
        };
        let (uninstalled, said) = tokio::join!(uninstall(), waited_for);
        let back = is_back(&engine).await;
        let left = is_gone(&namespace.client).await;
        // Whatever came of it: the others need an operator.
        install(&values).await?;
        uninstalled.and(said).and(back).and(left)?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

async fn says_whom_it_waits_for(engine: &Engine) -> anyhow::Result<()> {
    let name = format!("{}/{}", engine.namespace.name, engine.name);
    eventually("the wait to say for whom", 60, || async {
        let output = Command::new("kubectl")
            .args(["-n", SYSTEM, "logs", &format!("job/{FAREWELL}")])
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(said.contains(&name), "{said}");
        Ok(Some(()))
    })
    .await
}

/// Without an operator, and so by what the last one did before it went.
async fn is_back(engine: &Engine) -> anyhow::Result<()> {
    let claims = engine.namespace.api::<PersistentVolumeClaim>();
    let claim = claims.get(&format!("{}-brain", engine.name)).await?;
    ensure!(
        !claim.annotations().contains_key(labels::ROTATION),
        "the rotation is still open"
    );
    let set = engine.namespace.api::<StatefulSet>();
    let set = set.get(&engine.name).await?;
    let replicas = set.spec.and_then(|spec| spec.replicas);
    ensure!(replicas == Some(1), "the engine was left stopped");
    eventually("the engine to serve without an operator", 60, || async {
        Ok(engine.pod().await?.filter(is_ready).map(drop))
    })
    .await
}

/// Nothing of the wait itself stays behind.
async fn is_gone(client: &Client) -> anyhow::Result<()> {
    let jobs: Api<Job> = Api::namespaced(client.clone(), SYSTEM);
    let roles: Api<ClusterRole> = Api::all(client.clone());
    eventually("the wait to be cleared away", 30, || async {
        let job = jobs.get_opt(FAREWELL).await?;
        let role = roles.get_opt(&format!("{SYSTEM}.{FAREWELL}")).await?;
        Ok((job.is_none() && role.is_none()).then_some(()))
    })
    .await
}
