//! Pods that try things from inside the cluster's network.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::AttachParams;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::engine::is_ready;
use crate::{Namespace, PROBE_IMAGE, eventually};

/// A running probe.
pub struct Probe {
    pod: String,
    container: String,
    namespace: Namespace,
}

/// What a probe printed, and whether it ended well.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its output.
    pub text: String,
    /// It ended with exit code 0.
    pub success: bool,
}

impl Answer {
    /// The HTTP status on the first line of `probe http`.
    pub fn status(&self) -> Option<u16> {
        self.text.lines().next()?.trim().parse().ok()
    }

    /// What follows the first line.
    pub fn body(&self) -> &str {
        self.text.split_once('\n').map_or("", |(_, body)| body)
    }
}

/// What the restricted Pod Security Standard asks of a container.
pub fn security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "runAsUser": 65532,
        "capabilities": { "drop": ["ALL"] },
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

/// Starts a pod with one container and waits until it is ready.
async fn run_pod(
    namespace: &Namespace,
    name: &str,
    labels: Value,
    volumes: Value,
    container: Value,
) -> anyhow::Result<Pod> {
    let _: Pod = namespace
        .create_object(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": name, "labels": labels },
            "spec": {
                "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 1,
                "volumes": volumes,
                "containers": [container],
            },
        }))
        .await?;
    let pods: Api<Pod> = namespace.api();
    eventually("the probe to run", 60, || async {
        Ok(pods.get_opt(name).await?.filter(is_ready))
    })
    .await
}

impl Probe {
    /// Starts a probe pod in a namespace.
    pub async fn start(namespace: &Namespace, name: &str) -> anyhow::Result<Self> {
        Self::start_with(namespace, name, json!({}), json!([]), json!([])).await
    }

    /// Starts a probe pod with labels, volumes and where they are mounted.
    pub async fn start_with(
        namespace: &Namespace,
        name: &str,
        labels: Value,
        volumes: Value,
        mounts: Value,
    ) -> anyhow::Result<Self> {
        let container = json!({
            "name": "probe", "image": PROBE_IMAGE, "args": ["sleep"],
            "securityContext": security(), "volumeMounts": mounts,
        });
        run_pod(namespace, name, labels, volumes, container).await?;
        Ok(Self {
            pod: name.to_owned(),
            container: "probe".to_owned(),
            namespace: namespace.clone(),
        })
    }

    /// Starts a pod that takes connections of everybody, and gives its address and port.
    pub async fn serve(namespace: &Namespace, name: &str) -> anyhow::Result<String> {
        let address = Self::serve_on(namespace, name, "8080").await?;
        Ok(format!("{address}:8080"))
    }

    /// The same on several ports, such as `8080,8081`; gives its address alone.
    pub async fn serve_on(
        namespace: &Namespace,
        name: &str,
        ports: &str,
    ) -> anyhow::Result<String> {
        let container = json!({
            "name": "probe", "image": PROBE_IMAGE, "args": ["serve", "--tcp", ports], "securityContext": security(),
        });
        let pod = run_pod(namespace, name, json!({}), json!([]), container).await?;
        let address = pod.status.and_then(|status| status.pod_ip);
        address.context("no address")
    }

    /// Starts a probe inside the network of a running pod, as an ephemeral container.
    pub async fn inside(namespace: &Namespace, pod: &str) -> anyhow::Result<Self> {
        let container = "probe".to_owned();
        let patch = json!({ "spec": { "ephemeralContainers": [{
            "name": container, "image": PROBE_IMAGE, "args": ["sleep"], "securityContext": security(),
        }] } });
        let pods: Api<Pod> = namespace.api();
        pods.patch_subresource(
            "ephemeralcontainers",
            pod,
            &kube::api::PatchParams::default(),
            &kube::api::Patch::Strategic(patch),
        )
        .await?;
        eventually("the probe inside the pod to run", 60, || async {
            let statuses = pods
                .get(pod)
                .await?
                .status
                .and_then(|status| status.ephemeral_container_statuses)
                .unwrap_or_default();
            let running = |s: &k8s_openapi::api::core::v1::ContainerStatus| {
                s.name == container && s.state.as_ref().is_some_and(|s| s.running.is_some())
            };
            Ok(statuses.iter().any(running).then_some(()))
        })
        .await?;
        Ok(Self {
            pod: pod.to_owned(),
            container,
            namespace: namespace.clone(),
        })
    }

    /// Runs one command of the probe.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        let pods: Api<Pod> = self.namespace.api();
        let command: Vec<_> = ["/probe"]
            .iter()
            .chain(arguments)
            .map(|part| (*part).to_owned())
            .collect();
        let parameters = AttachParams::default()
            .container(&self.container)
            .stderr(false);
        let mut process = pods.exec(&self.pod, command, &parameters).await?;
        let mut text = String::new();
        process
            .stdout()
            .context("no output")?
            .read_to_string(&mut text)
            .await?;
        let status = process
            .take_status()
            .context("no status")?
            .await
            .context("the probe was cut off")?;
        Ok(Answer {
            text,
            success: status.status.as_deref() == Some("Success"),
        })
    }

    /// `GET` with an API key; `None`: without.
    pub async fn get(&self, url: &str, key: Option<&str>) -> anyhow::Result<Answer> {
        let header = key.map(|key| format!("X-Engine-Key: {key}"));
        let mut arguments = vec!["http", "--timeout", "5s"];
        if let Some(header) = &header {
            arguments.extend(["-H", header]);
        }
        arguments.push(url);
        let answer = self.run(&arguments).await?;
        ensure!(
            answer.status().is_some(),
            "no answer from {url}: {}",
            answer.text
        );
        Ok(answer)
    }

    /// Whether a TCP connection can be opened.
    pub async fn can_dial(&self, address: &str) -> anyhow::Result<bool> {
        Ok(self
            .run(&["dial", "tcp", address, "--timeout", "2s"])
            .await?
            .success)
    }
}
