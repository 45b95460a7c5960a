//! One stopped engine, as our operator and a real API server make it: all others are its copies.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Context as _;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::timeout;
use userengine_api::status::Phase;
use userengine_api::{EngineClass, UserEngine};
use userengine_e2e::SYSTEM;

use super::recorder::{Recorder, Written};
use super::serve::serve;
use crate::by_hand::TEMPLATE;
use crate::fleet::cluster::Cluster;
use crate::fleet::program::Operator;
use crate::fleet::{LIMIT, Programs, STILL, nodes, template};
use crate::on_cluster::CLASS;

/// Name of the cluster.
const CLUSTER: &str = "stopped";
/// Of the engine's pod; another than a fleet's, which may be measured at the same time.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Its namespace. Nothing else may contain this text.
pub const WORKSPACE: &str = "bench-workspace";

/// The engine and what belongs to it.
pub struct Template {
    /// The `UserEngine`, then its children.
    pub objects: Vec<(ApiResource, DynamicObject)>,
    /// What the operator wrote, word for word.
    pub written: Written,
    /// The class that it follows.
    pub class: Value,
}

/// Makes it.
pub async fn make(programs: &Programs) -> anyhow::Result<Template> {
    let (_cluster, client) = Cluster::fresh(CLUSTER).await?;
    nodes::answer_for_engines(ADDRESS)?;
    let _nodes = nodes::play(&client, ADDRESS);
    prepare(&client).await?;
    let recorder = Recorder::new(client.clone());
    let kubeconfig = programs.scratch.join("recorder.json");
    let _serving = serve(recorder.router(), &kubeconfig).await?;
    run_and_stop(&client, programs, &kubeconfig).await?;
    let classes: Api<EngineClass> = Api::all(client.clone());
    Ok(Template {
        objects: objects(&client).await?,
        written: recorder.written(),
        class: serde_json::to_value(classes.get(CLASS).await?)?,
    })
}

async fn prepare(client: &Client) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in [SYSTEM, WORKSPACE] {
        let namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
        namespaces
            .create(&PostParams::default(), &namespace)
            .await?;
    }
    userengine_e2e::class(client, CLASS, json!({})).await
}

/// The engine has run, so that it has a brain, and is stopped then.
async fn run_and_stop(
    client: &Client,
    programs: &Programs,
    kubeconfig: &Path,
) -> anyhow::Result<()> {
    let log = programs.scratch.join("template.log");
    let mut operator = Operator::start(&programs.operator, &["run"], kubeconfig, &log)?;
    let engines: Api<UserEngine> = Api::namespaced(client.clone(), WORKSPACE);
    let mut engine = userengine_e2e::engine(TEMPLATE, &format!("user-of-{TEMPLATE}"));
    json_patch::merge(&mut engine, &json!({ "spec": { "className": CLASS } }));
    let engine: UserEngine = serde_json::from_value(engine)?;
    engines.create(&PostParams::default(), &engine).await?;
    becomes(&engines, Phase::Ready).await?;
    let stop = Patch::Merge(json!({ "spec": { "suspended": true } }));
    engines
        .patch(TEMPLATE, &PatchParams::default(), &stop)
        .await?;
    becomes(&engines, Phase::Suspended).await?;
    operator.until_quiet(1, STILL, LIMIT)?;
    operator.stop()
}

async fn becomes(engines: &Api<UserEngine>, phase: Phase) -> anyhow::Result<()> {
    let engines = watcher(engines.clone(), watcher::Config::default());
    let engines = engines
        .default_backoff()
        .applied_objects()
        .filter_map(async |engine| engine.ok()?.status?.phase);
    let mut phases = std::pin::pin!(engines.filter(|found| std::future::ready(*found == phase)));
    let became = timeout(LIMIT, phases.next()).await;
    became
        .ok()
        .flatten()
        .with_context(|| format!("the engine did not become {}", phase.as_str()))?;
    Ok(())
}

async fn objects(client: &Client) -> anyhow::Result<Vec<(ApiResource, DynamicObject)>> {
    let resource = ApiResource::erase::<UserEngine>(&());
    let engines: Api<DynamicObject> = Api::namespaced_with(client.clone(), WORKSPACE, &resource);
    let engine = engines.get(TEMPLATE).await?;
    let mut all = vec![(resource, engine)];
    all.extend(template::children(client, WORKSPACE).await?);
    Ok(all)
}
