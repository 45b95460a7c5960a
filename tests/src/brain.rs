//! A brain's volume, looked at by a probe while no engine has it.

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::{Answer, Engine, Namespace, Probe, eventually};

/// A probe that has the volume of an engine mounted at `/data`.
pub struct Brain {
    probe: Probe,
    pod: String,
    namespace: Namespace,
}

impl Brain {
    /// Mounts the volume of a suspended engine.
    pub async fn mount(engine: &Engine) -> anyhow::Result<Self> {
        Self::mount_all(engine, &[("/data", engine)]).await
    }

    /// Mounts two volumes, the second at `/data2`.
    pub async fn mount_two(first: &Engine, second: &Engine) -> anyhow::Result<Self> {
        Self::mount_all(first, &[("/data", first), ("/data2", second)]).await
    }

    async fn mount_all(engine: &Engine, volumes: &[(&str, &Engine)]) -> anyhow::Result<Self> {
        let pod = format!("{}-look", engine.name);
        let mounts: Vec<_> = volumes
            .iter()
            .map(|(path, of)| json!({ "name": of.name, "mountPath": path }))
            .collect();
        let volumes: Vec<_> = volumes
            .iter()
            .map(|(_, of)| json!({ "name": of.name, "persistentVolumeClaim": { "claimName": format!("{}-brain", of.name) } }))
            .collect();
        let namespace = engine.namespace.clone();
        let probe =
            Probe::start_with(&namespace, &pod, json!({}), json!(volumes), json!(mounts)).await?;
        Ok(Self {
            probe,
            pod,
            namespace,
        })
    }

    /// One command of the probe, which must succeed.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        let answer = self.probe.run(arguments).await?;
        anyhow::ensure!(answer.success, "{arguments:?} failed: {}", answer.text);
        Ok(answer)
    }

    /// A line for every file with its hash and mode: equal sums mean an untouched volume.
    pub async fn sum(&self) -> anyhow::Result<String> {
        Ok(self.run(&["sum", "/data"]).await?.text)
    }

    /// Ends the probe, so that the engine can have its volume.
    pub async fn unmount(self) -> anyhow::Result<()> {
        let pods = self.namespace.api::<Pod>();
        pods.delete(
            &self.pod,
            &kube::api::DeleteParams::default().grace_period(0),
        )
        .await?;
        eventually("the probe to be gone", 30, || async {
            Ok(pods.get_opt(&self.pod).await?.is_none().then_some(()))
        })
        .await
    }
}
