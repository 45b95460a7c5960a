//! The cycle without an operator: scale down, an empty Job, scale up.

use std::time::Instant;

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use userengine_e2e::{Namespace, eventually};

use super::answers::Answers;
use super::cycle::{Cycle, Moments, Watches};
use crate::watching::DEADLINE;

/// Ends at once, and well.
const NOTHING: &str = "--version";

/// A StatefulSet that is scaled by hand, and a Job that has its volume meanwhile.
pub struct Hand<'a> {
    namespace: &'a Namespace,
    name: String,
    /// The spec of the Job's pod.
    pod: Value,
}

impl<'a> Hand<'a> {
    /// For the StatefulSet of this name.
    pub async fn of(namespace: &'a Namespace, name: &str) -> anyhow::Result<Self> {
        let set: StatefulSet = namespace.api().get(name).await?;
        let set = serde_json::to_value(set)?;
        Ok(Self {
            namespace,
            name: name.to_owned(),
            pod: empty(&set).context("the StatefulSet is not as expected")?,
        })
    }

    /// One cycle. `job` is a name that no Job had before.
    pub async fn cycle(&self, job: &str) -> anyhow::Result<Cycle> {
        let selector = format!("batch.kubernetes.io/job-name={job}");
        let mut watches = Watches::open(self.namespace, &self.name, &selector).await?;
        let answers = Answers::begin(self.namespace, &self.name).await?;
        let began = Instant::now();
        self.scale(0).await?;
        let gone = watches.gone().await?;
        self.namespace.create_object::<Job>(self.job(job)).await?;
        let done = watches.done().await?;
        self.scale(1).await?;
        let ready = watches.ready().await?;
        let moments = Moments {
            began,
            gone,
            done,
            ready,
        };
        let cycle = moments.cycle(answers.end().await?);
        self.remove(job, &selector).await?;
        Ok(cycle)
    }

    async fn scale(&self, replicas: u8) -> anyhow::Result<()> {
        let change = json!({ "spec": { "replicas": replicas } });
        self.namespace
            .merge::<StatefulSet>(&self.name, change)
            .await?;
        Ok(())
    }

    fn job(&self, name: &str) -> Value {
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": name },
            "spec": { "backoffLimit": 0, "template": { "spec": self.pod } },
        })
    }

    /// Nothing of a round disturbs the next one.
    async fn remove(&self, job: &str, pods: &str) -> anyhow::Result<()> {
        let background = DeleteParams::background();
        self.namespace.api::<Job>().delete(job, &background).await?;
        let chosen = ListParams::default().labels(pods);
        eventually("the Job's pod to be gone", DEADLINE.into(), || async {
            let left = self.namespace.api::<Pod>().list_metadata(&chosen).await?;
            Ok(left.items.is_empty().then_some(()))
        })
        .await
    }
}

/// The engine's own pod, but for what it does: two containers, one after the other, which have the brain's volume and end.
fn empty(set: &Value) -> Option<Value> {
    let template = set.pointer("/spec/template/spec")?;
    let mut pod = template.as_object()?.clone();
    let of_brain = |volume: &&Value| volume.get("persistentVolumeClaim").is_some();
    let volume = template.get("volumes")?.as_array()?.iter().find(of_brain)?;
    let engine = template.pointer("/containers/0")?.as_object()?;
    let mounts = engine.get("volumeMounts")?.as_array()?.iter();
    let mount = mounts
        .clone()
        .find(|mount| mount.get("name") == volume.get("name"))?;
    let container = |name: &str| {
        let mut container = engine.clone();
        // What is left: image, pull policy, resources, security context.
        for field in [
            "env",
            "ports",
            "startupProbe",
            "readinessProbe",
            "livenessProbe",
            "lifecycle",
        ] {
            container.remove(field);
        }
        container.insert("name".to_owned(), json!(name));
        container.insert("args".to_owned(), json!([NOTHING]));
        container.insert("volumeMounts".to_owned(), json!([mount]));
        Value::Object(container)
    };
    pod.insert("volumes".to_owned(), json!([volume]));
    pod.insert("initContainers".to_owned(), json!([container("first")]));
    pod.insert("containers".to_owned(), json!([container("second")]));
    pod.insert("restartPolicy".to_owned(), json!("Never"));
    Some(Value::Object(pod))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_job_has_the_engines_image_resources_and_volume_and_nothing_to_do() {
        let set = json!({ "spec": { "template": { "spec": {
            "serviceAccountName": "default",
            "restartPolicy": "Always",
            "volumes": [
                { "name": "brain", "persistentVolumeClaim": { "claimName": "a-brain" } },
                { "name": "key", "secret": { "secretName": "a-key" } },
            ],
            "containers": [{
                "name": "engine", "image": "engine:1", "args": ["serve"], "resources": { "limits": { "cpu": "1" } },
                "env": [{ "name": "A", "value": "b" }], "readinessProbe": {},
                "volumeMounts": [{ "name": "key", "mountPath": "/key" }, { "name": "brain", "mountPath": "/data" }],
            }],
        } } } });
        let container = |name| {
            json!({
                "name": name, "image": "engine:1", "args": ["--version"], "resources": { "limits": { "cpu": "1" } },
                "volumeMounts": [{ "name": "brain", "mountPath": "/data" }],
            })
        };
        let expected = json!({
            "serviceAccountName": "default",
            "restartPolicy": "Never",
            "volumes": [{ "name": "brain", "persistentVolumeClaim": { "claimName": "a-brain" } }],
            "initContainers": [container("first")],
            "containers": [container("second")],
        });
        assert_eq!(empty(&set), Some(expected));
    }
}
