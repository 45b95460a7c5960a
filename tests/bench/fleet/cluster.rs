//! A cluster that has an API server and nothing else: no kubelet, no scheduler, no controllers.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;

/// Addresses for Services: every engine has one, and a cluster for tests has 2,048 by itself.
const SERVICES: &str = "10.128.0.0/14";
/// What a cluster for tests runs besides.
const OTHERS: [&str; 4] = [
    "kubelet",
    "kube-proxy",
    "kube-scheduler",
    "kube-controller-manager",
];

/// It is gone when this is dropped.
pub struct Cluster {
    /// The administrator's.
    pub kubeconfig: PathBuf,
    name: &'static str,
}

impl Cluster {
    /// An empty one of this name, with the definitions.
    pub async fn fresh(name: &'static str) -> anyhow::Result<(Self, Client)> {
        let run = |arguments: &[&str]| run(name, arguments);
        run(&["down"])?;
        run(&["up"])?;
        let cluster = Self {
            kubeconfig: run(&["kubeconfig"])?.trim().into(),
            name,
        };
        for other in OTHERS {
            run(&["stop-component", other])?;
        }
        let kubeconfig = Kubeconfig::read_from(&cluster.kubeconfig)?;
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config)?;
        let more = json!({ "metadata": { "name": name }, "spec": { "cidrs": [SERVICES] } });
        let more: ServiceCIDR = serde_json::from_value(more)?;
        Api::all(client.clone())
            .create(&PostParams::default(), &more)
            .await?;
        let bin = PathBuf::from(run(&["bin"])?.trim());
        let applied = Command::new(bin.join("kubectl"))
            .args([
                "apply",
                "--server-side",
                "-f",
                "charts/userengine/files/crds/",
                "--kubeconfig",
            ])
            .arg(&cluster.kubeconfig)
            .output()?;
        ensure!(
            applied.status.success(),
            "{}",
            String::from_utf8_lossy(&applied.stderr)
        );
        Ok((cluster, client))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = run(self.name, &["down"]) {
            eprintln!("    the cluster '{}' is left: {error:#}", self.name);
        }
    }
}

fn run(name: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let (verb, rest) = arguments.split_first().context("a command has a verb")?;
    let output = Command::new("tests/cluster/run")
        .arg(verb)
        .args(rest)
        .args(["--name", name])
        .output()
        .context("failed to run tests/cluster/run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "tests/cluster/run {arguments:?}: {said}"
    );
    Ok(String::from_utf8(output.stdout)?)
}
