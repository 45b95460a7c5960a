//! What our operator is compared with: the controller that the documentation of kube shows, without any tuning. It keeps every
//! object that it watches in a store, and applies every child at each reconcile.
//!
//! `plain TEMPLATES`: a JSON file with the children of an engine; the text `bench-template` in them becomes the engine's name.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::runtime::controller::Action;
use kube::runtime::{Controller, WatchStreamExt as _, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use userengine_api::UserEngine;
use userengine_operator::metrics::{Counted, Metrics};

#[derive(Parser)]
struct Arguments {
    /// The children of an engine, as JSON.
    templates: PathBuf,
    /// Where the metrics are.
    #[arg(long, env = "OPERATOR_HTTP_ADDR")]
    http_addr: std::net::SocketAddr,
}

struct Context {
    client: Client,
    templates: Vec<String>,
    metrics: Metrics,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let client = Client::try_default().await?;
    let templates: Vec<Value> = serde_json::from_slice(&std::fs::read(&arguments.templates)?)?;
    let context = Arc::new(Context {
        client: client.clone(),
        templates: templates.iter().map(Value::to_string).collect(),
        metrics: Metrics::new()?,
    });
    let shown = context.clone();
    let listener = tokio::net::TcpListener::bind(arguments.http_addr).await?;
    let pages = axum::Router::new().route(
        "/metrics",
        axum::routing::get(move || async move { shown.metrics.text().unwrap_or_default() }),
    );
    tokio::spawn(axum::serve(listener, pages).into_future());
    keep::<PersistentVolumeClaim>(&client);
    let all = watcher::Config::default;
    let run = Controller::new(Api::<UserEngine>::all(client.clone()), all())
        .owns(Api::<StatefulSet>::all(client.clone()), all())
        .owns(Api::<Service>::all(client.clone()), all())
        .owns(Api::<ServiceAccount>::all(client.clone()), all())
        .owns(Api::<ConfigMap>::all(client.clone()), all())
        .owns(Api::<NetworkPolicy>::all(client.clone()), all())
        .run(
            reconcile,
            |_, _, _| Action::requeue(std::time::Duration::from_secs(1)),
            context,
        );
    tokio::select! {
        () = run.for_each(|_| async {}) => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    Ok(())
}

/// A store of everything of a kind.
fn keep<K>(client: &Client)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (_store, writer) = reflector::store::<K>();
    let all = watcher(Api::<K>::all(client.clone()), watcher::Config::default());
    let all = all.default_backoff().reflect(writer).touched_objects();
    tokio::spawn(all.for_each(|_| async {}));
}

async fn reconcile(engine: Arc<UserEngine>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let began = std::time::Instant::now();
    let done = apply_all(&engine, &context).await;
    context
        .metrics
        .reconciled(if done.is_ok() { "ok" } else { "failed" }, began.elapsed());
    done.map_err(|error| match error.downcast::<kube::Error>() {
        Ok(error) => error,
        Err(error) => kube::Error::Service(error.into()),
    })
}

async fn apply_all(engine: &UserEngine, context: &Context) -> anyhow::Result<Action> {
    let (name, namespace) = (engine.name_any(), engine.namespace().unwrap_or_default());
    let owner = engine
        .controller_owner_ref(&())
        .context("an engine has a uid")?;
    let parameters = PatchParams::apply("plain").force();
    let ours = UserEngine::api_version(&());
    for template in &context.templates {
        let mut child: DynamicObject =
            serde_json::from_str(&template.replace("bench-template", &name))?;
        child.metadata.owner_references = Some(vec![owner.clone()]);
        let types = child.types.clone().unwrap_or_default();
        let resource =
            kube::api::ApiResource::from_gvk(&kube::core::GroupVersionKind::try_from(&types)?);
        let api: Api<DynamicObject> =
            Api::namespaced_with(context.client.clone(), &namespace, &resource);
        context.metrics.wrote("apply", "child");
        api.patch(&child.name_any(), &parameters, &Patch::Apply(&child))
            .await?;
    }
    let sets: Api<StatefulSet> = Api::namespaced(context.client.clone(), &namespace);
    let set = sets.get(&name).await?;
    let is_up = set.status.and_then(|status| status.ready_replicas) == Some(1);
    let status = json!({ "apiVersion": ours, "kind": "UserEngine", "metadata": { "name": name },
        "status": { "phase": if is_up { "Ready" } else { "Starting" } } });
    context.metrics.wrote("status", "UserEngine");
    Api::<UserEngine>::namespaced(context.client.clone(), &namespace)
        .patch_status(&name, &parameters, &Patch::Apply(&status))
        .await?;
    let phase = if is_up {
        userengine_api::status::Phase::Ready
    } else {
        userengine_api::status::Phase::Starting
    };
    context
        .metrics
        .engine(&engine.uid().unwrap_or_default(), Some(Counted::In(phase)));
    Ok(Action::await_change())
}
