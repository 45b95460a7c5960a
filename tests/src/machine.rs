//! The machine below the test cluster: its processes, its components and its volumes. Only for a cluster that we made.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{Api, ResourceExt};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use crate::{ENGINE_IMAGE, Namespace};

/// Sends a signal to every process of this program in a pod; gives how many there were.
pub fn signal(pod: &Pod, program: &str, signal: Signal) -> anyhow::Result<usize> {
    let uid = pod.uid().context("a pod has a uid")?;
    let mut hit = 0;
    for process in processes_of(&uid, program)? {
        // One that ended by itself meanwhile is no failure.
        if kill_process(process, signal).is_ok() {
            hit += 1;
        }
    }
    Ok(hit)
}

fn processes_of(pod: &str, program: &str) -> anyhow::Result<Vec<Pid>> {
    let underscored = pod.replace('-', "_");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("failed to list processes")? {
        let folder = entry?.path();
        let number = folder
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        let Some(process) = number.and_then(Pid::from_raw) else {
            continue;
        };
        // A process may end between the listing and the reading.
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let groups = read("cgroup");
        let ours = groups.contains(pod) || groups.contains(&underscored);
        if ours && read("comm").trim() == program {
            found.push(process);
        }
    }
    Ok(found)
}

/// Kills a component of the cluster with SIGKILL and starts it again, as its supervisor would.
pub async fn restart_component(component: &str) -> anyhow::Result<()> {
    testcluster(&["kill-component", component]).await?;
    start_component(component).await
}

/// Stops a component of the cluster.
pub async fn stop_component(component: &str) -> anyhow::Result<()> {
    testcluster(&["stop-component", component]).await.map(drop)
}

/// Starts a component that was stopped.
pub async fn start_component(component: &str) -> anyhow::Result<()> {
    testcluster(&["start-component", component]).await.map(drop)
}

/// Gives the node the engine's image under another name of the same length: so the file that it is in stays a whole archive.
pub async fn load_engine_image_as(name: &str) -> anyhow::Result<()> {
    let (known, name) = (ENGINE_IMAGE.as_bytes(), name.as_bytes());
    ensure!(name.len() == known.len(), "another length");
    #[expect(
        clippy::disallowed_methods,
        reason = "where the image is, is the script's to say"
    )]
    let archive = std::env::var("USERENGINE_ENGINE_TAR").context(
        "USERENGINE_ENGINE_TAR is not set: these tests need a cluster of tests/setup.sh",
    )?;
    let mut content = fs::read(archive)?;
    let mut places = content.windows(known.len());
    let place = places.position(|words| words == known);
    let place = place.context("the archive does not name its image")?;
    content.splice(place..place + known.len(), name.iter().copied());
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("image.tar");
    fs::write(&file, content)?;
    let file = file.to_str().context("a path that is no text")?;
    testcluster(&["load", file]).await.map(drop)
}

/// The folder in which controllers and kubelet look for drivers of volumes.
pub async fn volume_plugins() -> anyhow::Result<PathBuf> {
    let kubeconfig = PathBuf::from(testcluster(&["kubeconfig"]).await?.trim());
    Ok(kubeconfig.with_file_name("kubelet").join("volume-plugins"))
}

async fn testcluster(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("testcluster")
        .args(arguments)
        .args(["--name", &cluster()?])
        .output()
        .await
        .context("testcluster is not on the PATH")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {said}", arguments.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn cluster() -> anyhow::Result<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "which cluster the tests run on is the script's to say"
    )]
    std::env::var("USERENGINE_CLUSTER")
        .context("USERENGINE_CLUSTER is not set: these tests need a cluster of tests/setup.sh")
}

/// The folder of a claim's volume on this machine.
pub async fn volume_folder(namespace: &Namespace, claim: &str) -> anyhow::Result<PathBuf> {
    let claim: PersistentVolumeClaim = namespace.api().get(claim).await?;
    let volume = claim
        .spec
        .and_then(|spec| spec.volume_name)
        .context("the claim is not bound")?;
    let volumes: Api<PersistentVolume> = Api::all(namespace.client.clone());
    let volume = volumes.get(&volume).await?;
    let path = volume
        .spec
        .and_then(|spec| spec.host_path)
        .map(|source| PathBuf::from(source.path))
        .context("the volume is no folder of this machine")?;
    ensure!(path.is_dir(), "{} is not there", path.display());
    Ok(path)
}
