//! A volume that its driver holds back: each step that fails is a reason of its own, with the driver's words, and nobody has to act
//! on the engine once the driver gives it out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::ensure;
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use userengine_e2e::machine::volume_plugins;
use userengine_e2e::trouble::{is_back, is_told_once, says, told};
use userengine_e2e::{Engine, Namespace, in_namespace};

/// A driver as FlexVolume calls them
/// (<https://github.com/kubernetes/design-proposals-archive/blob/main/storage/flexvolume-deployment.md>), whose volume is a folder
/// beside it, and which does what there is a file for.
const DRIVER: &str = r#"#!/bin/sh
here=$(dirname "$0")
says() { echo "{\"status\":\"$1\",\"message\":\"$2\",\"device\":\"$here/volume\",\"attached\":true,\"capabilities\":{\"attach\":true}}"; }
case $1 in
  attach) [ -e "$here/may-attach" ] && says Success || says Failure "another node has it" ;;
  mountdevice) [ -e "$here/may-mount" ] && mount --bind "$here/volume" "$2" && says Success || says Failure "bad superblock" ;;
  init | waitforattach | isattached | detach) says Success ;;
  *) says "Not supported" ;;
esac
"#;

/// The driver of one test, and its only volume.
struct Driver {
    folder: PathBuf,
    name: String,
}

impl Driver {
    /// Puts it where the controllers and the kubelet find it. It stays until the cluster goes: the kubelet takes the volume down
    /// with it after the test.
    async fn install(name: &str) -> anyhow::Result<Self> {
        let folder = volume_plugins().await?.join(format!("example.com~{name}"));
        let made = folder.with_file_name(format!(".{name}"));
        fs::create_dir_all(made.join("volume"))?;
        let program = made.join(name);
        fs::write(&program, DRIVER)?;
        fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
        // Whole from the first moment that somebody looks.
        fs::rename(made, &folder)?;
        let name = name.to_owned();
        Ok(Self { folder, name })
    }

    fn lets(&self, step: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.folder.join(step), "")?)
    }

    fn volume(&self) -> anyhow::Result<PersistentVolume> {
        let volume = json!({
            "metadata": { "name": self.name },
            "spec": {
                "capacity": { "storage": "64Mi" },
                "accessModes": ["ReadWriteOncePod"],
                "storageClassName": self.name,
                "persistentVolumeReclaimPolicy": "Retain",
                "flexVolume": { "driver": format!("example.com/{}", self.name) },
            },
        });
        Ok(serde_json::from_value(volume)?)
    }
}

#[tokio::test]
async fn alone_a_volume_that_is_neither_attached_nor_mounted_is_told_at_each_step()
-> anyhow::Result<()> {
    in_namespace("held", |namespace| async move {
        let driver = Driver::install(&namespace.name).await?;
        let volumes: Api<PersistentVolume> = Api::all(namespace.client.clone());
        let volume = driver.volume()?;
        volumes.create(&PostParams::default(), &volume).await?;
        let outcome = step_by_step(&namespace, &driver).await;
        let gone = DeleteParams::default();
        volumes.delete(&namespace.name, &gone).await?;
        outcome
    })
    .await
}

async fn step_by_step(namespace: &Namespace, driver: &Driver) -> anyhow::Result<()> {
    let storage = json!({ "storage": { "storageClassName": driver.name } });
    let engine = Engine::of_class(namespace, storage).await?;
    let steps = [
        (
            "VolumeNotAttached",
            "FailedAttachVolume",
            "another node has it",
            "may-attach",
        ),
        (
            "VolumeMountFailed",
            "FailedMount",
            "bad superblock",
            "may-mount",
        ),
    ];
    for (reason, event, words, cure) in steps {
        let condition = says(&engine, ("EngineAvailable", reason), || {
            told(namespace, event, words)
        })
        .await?;
        ensure!(condition.message.contains(words), "{}", condition.message);
        // Each try of others comes after twice the wait: the longer it is held, the longer everybody waits.
        is_told_once(&engine, reason, 5).await?;
        driver.lets(cure)?;
    }
    is_back(&engine).await
}
