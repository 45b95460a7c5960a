//! Engines, from a test's point of view.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use userengine_api::names::Names;
use userengine_api::status::Phase;
use userengine_api::{EngineClass, UserEngine};

use crate::{CLASS, ENGINE_IMAGE, Namespace, PLATFORM, eventually};

/// Seconds that anything on a loaded test machine may take to come up.
const PATIENCE: u64 = 90;
/// An engine of which nothing was written for so long is at rest, if that was said.
const AWHILE: Duration = Duration::from_secs(1);

/// A `UserEngine` of the test class for this user.
pub fn engine(name: &str, user: &str) -> Value {
    json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "UserEngine",
        "metadata": { "name": name },
        "spec": { "user": user, "className": CLASS },
    })
}

/// Sees that there is a class of this name; `changes` are merged into the test class's spec.
pub async fn class(client: &kube::Client, name: &str, changes: Value) -> anyhow::Result<()> {
    let classes: Api<EngineClass> = Api::all(client.clone());
    let mut object = json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "EngineClass",
        "metadata": { "name": name },
        "spec": {
            "image": ENGINE_IMAGE,
            "storage": { "size": "64Mi", "maxSize": "256Mi" },
            "publicURL": "https://{name}.{namespace}.engines.example.com",
            "ingressFrom": [{ "namespaceSelector": { "matchLabels": { PLATFORM: "true" } } }],
            "terminationGracePeriodSeconds": 10,
        },
    });
    merge(&mut object, json!({ "spec": changes }));
    // A null takes a field away, as server-side apply means it: by leaving it out.
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|_, value| !value.is_null());
    }
    classes
        .patch(
            name,
            &PatchParams::apply("e2e").force(),
            &Patch::Apply(&object),
        )
        .await?;
    Ok(())
}

/// Merges objects; everything else is replaced.
pub(crate) fn merge(into: &mut Value, changes: Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (name, value) in changes {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, changes) => *into = changes,
    }
}

/// One engine of a test.
#[derive(Clone)]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: Namespace,
}

impl Engine {
    /// Creates it.
    pub async fn create(namespace: &Namespace, object: Value) -> anyhow::Result<Self> {
        class(&namespace.client, CLASS, json!({})).await?;
        let created: UserEngine = namespace.create_object(object).await?;
        Ok(Self {
            name: created.name_any(),
            namespace: namespace.clone(),
        })
    }

    /// Creates an engine of the test class and waits until it serves.
    pub async fn ready(namespace: &Namespace, name: &str, user: &str) -> anyhow::Result<Self> {
        let engine = Self::create(namespace, crate::engine(name, user)).await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(engine)
    }

    /// The object.
    pub async fn get(&self) -> anyhow::Result<UserEngine> {
        Ok(self.namespace.api().get(&self.name).await?)
    }

    /// Merges into the spec.
    pub async fn change(&self, spec: Value) -> anyhow::Result<()> {
        self.namespace
            .merge::<UserEngine>(&self.name, json!({ "spec": spec }))
            .await?;
        Ok(())
    }

    /// Waits for a phase that speaks of the current spec.
    pub async fn wait_phase(&self, phase: Phase) -> anyhow::Result<UserEngine> {
        eventually(
            &format!("{} to be {}", self.name, phase.as_str()),
            PATIENCE,
            || async {
                let engine = self.get().await?;
                let status = engine.status.clone().unwrap_or_default();
                let current = status.observed_generation == engine.metadata.generation;
                ensure!(
                    current && status.phase == Some(phase),
                    "{:?}, {}",
                    status.phase,
                    summary(&engine)
                );
                Ok(Some(engine))
            },
        )
        .await
    }

    /// Waits until the operator has nothing left to do for it: it has said so, and writes nothing for a second.
    pub async fn wait_rest(&self) -> anyhow::Result<UserEngine> {
        let what = format!("{} to be at rest", self.name);
        let last = RefCell::new((None, Instant::now()));
        eventually(&what, PATIENCE, || async {
            let engine = self.get().await?;
            let mut last = last.borrow_mut();
            if last.0 != engine.metadata.resource_version {
                *last = (engine.resource_version(), Instant::now());
            }
            let has_rested = engine.status.as_ref().and_then(|it| it.settled.as_ref());
            let is_at_rest = has_rested.is_some() && last.1.elapsed() > AWHILE;
            Ok(is_at_rest.then_some(engine))
        })
        .await
    }

    /// Waits until a condition has this reason, and gives the condition.
    pub async fn wait_reason(&self, kind: &str, reason: &str) -> anyhow::Result<Condition> {
        eventually(
            &format!("{} of {} to be {reason}", kind, self.name),
            PATIENCE,
            || async {
                let engine = self.get().await?;
                let condition =
                    condition(&engine, kind).with_context(|| format!("no condition {kind}"))?;
                ensure!(condition.reason == reason, "{}", summary(&engine));
                Ok(Some(condition))
            },
        )
        .await
    }

    /// The pod, if there is one.
    pub async fn pod(&self) -> anyhow::Result<Option<Pod>> {
        Ok(self
            .namespace
            .api()
            .get_opt(&Names(&self.name).pod())
            .await?)
    }

    /// Which pod that is.
    pub async fn pod_uid(&self) -> anyhow::Result<Option<String>> {
        Ok(self.pod().await?.and_then(|pod| pod.uid()))
    }

    /// Deletes the pod at once, and waits until another one serves.
    pub async fn replace_pod(&self) -> anyhow::Result<()> {
        let pods: Api<Pod> = self.namespace.api();
        let before = self.pod_uid().await?;
        pods.delete(
            &Names(&self.name).pod(),
            &DeleteParams::default().grace_period(0),
        )
        .await?;
        eventually("another pod to be Ready", PATIENCE, || async {
            let pod = self.pod().await?;
            Ok(pod.filter(|pod| pod.uid() != before && is_ready(pod)))
        })
        .await?;
        Ok(())
    }

    /// The API key, as the platform's backend reads it.
    pub async fn api_key(&self) -> anyhow::Result<String> {
        let secrets: Api<Secret> = self.namespace.api();
        let secret = secrets.get(&format!("{}-api-key", self.name)).await?;
        let data = secret.data.context("the API-key Secret is empty")?;
        Ok(String::from_utf8(
            data.get("key").context("no key in it")?.0.clone(),
        )?)
    }

    /// Deletes the object and waits until it is gone.
    pub async fn delete(&self) -> anyhow::Result<()> {
        let engines: Api<UserEngine> = self.namespace.api();
        engines.delete(&self.name, &DeleteParams::default()).await?;
        eventually(&format!("{} to be gone", self.name), PATIENCE, || async {
            Ok(engines.get_opt(&self.name).await?.is_none().then_some(()))
        })
        .await
    }

    /// The address of the API inside the cluster.
    pub fn url(&self, path: &str) -> String {
        format!(
            "http://{}.{}.svc.cluster.local{path}",
            self.name, self.namespace.name
        )
    }
}

/// The condition `Ready` of a pod.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .into_iter()
            .any(|c| c.type_ == "Ready" && c.status == "True")
}

/// One condition of an engine.
pub fn condition(engine: &UserEngine, kind: &str) -> Option<Condition> {
    engine
        .status
        .as_ref()?
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .cloned()
}

fn summary(engine: &UserEngine) -> String {
    let conditions = engine.status.iter().flat_map(|status| &status.conditions);
    conditions
        .map(|c| format!("{}={} {}: {}", c.type_, c.status, c.reason, c.message))
        .collect::<Vec<_>>()
        .join("; ")
}

/// What the engine says of itself on its internal port, through the API server's proxy.
pub async fn inside(engine: &Engine) -> anyhow::Result<Value> {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}-0:9090/proxy/keys",
        engine.namespace.name, engine.name
    );
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(engine.namespace.client.request(request).await?)
}
