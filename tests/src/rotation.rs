//! Rotations, from a test's point of view.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use userengine_api::layout::{BRAIN_FILE, DATA_DIR, KEYRING_DIR, env};
use userengine_api::status::{KeyInfo, RotationInfo};
use userengine_api::{UserEngine, labels};

use crate::probe::security;
use crate::{ENGINE_IMAGE, Engine, eventually};

/// Seconds that a rotation may take on a loaded test machine.
const PATIENCE: u64 = 180;

/// How a container of the engine's image ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it left for whoever wants to know why.
    pub message: String,
}

impl Engine {
    /// Asks for a rotation.
    pub async fn rotate(&self, rotation: Value) -> anyhow::Result<()> {
        self.change(json!({ "encryption": { "rotation": rotation } }))
            .await
    }

    /// Waits until the rotation of this id is in this phase.
    pub async fn wait_rotation(&self, id: &str, phase: &str) -> anyhow::Result<RotationInfo> {
        let what = format!("rotation {id} of {} to be {phase}", self.name);
        eventually(&what, PATIENCE, || async {
            let rotation = rotation(&self.get().await?).context("no rotation in status")?;
            ensure!(rotation.id == id && rotation.phase == phase, "{rotation:?}");
            Ok(Some(rotation))
        })
        .await
    }

    /// The keys in status.
    pub async fn keys(&self) -> anyhow::Result<Vec<KeyInfo>> {
        let status = self.get().await?.status.context("no status")?;
        Ok(status.encryption.context("no keys in status")?.keys)
    }

    /// The id of the only key in this state.
    pub async fn key_in(&self, state: &str) -> anyhow::Result<String> {
        let keys = self.keys().await?;
        let mut found = keys.iter().filter(|key| key.state == state);
        let one = found
            .next()
            .with_context(|| format!("none is {state}: {keys:?}"))?;
        ensure!(found.next().is_none(), "several are {state}: {keys:?}");
        Ok(one.id.clone())
    }

    /// The Secret of the key of this id, if it is there.
    pub async fn key_secret(&self, kid: &str) -> anyhow::Result<Option<Secret>> {
        let ours = format!("{}={},{}={kid}", labels::ENGINE, self.name, labels::KID);
        let all: Api<Secret> = self.namespace.api();
        let found = all.list(&ListParams::default().labels(&ours)).await?;
        Ok(found.items.into_iter().next())
    }

    /// The pod of the rotation's Job that runs.
    pub async fn job_pod(&self) -> anyhow::Result<Option<Pod>> {
        let ours = format!(
            "{}={},{}={}",
            labels::ENGINE,
            self.name,
            labels::COMPONENT,
            labels::ROTATION_COMPONENT
        );
        let pods: Api<Pod> = self.namespace.api();
        let found = pods.list(&ListParams::default().labels(&ours)).await?;
        Ok(found.items.into_iter().next())
    }

    /// Opens every value of the brain of a suspended engine with the key of this Secret alone.
    pub async fn opens_with(&self, key: &Secret) -> anyhow::Result<Ended> {
        let name = format!("{}-verify", self.name);
        let database_id = key.annotations().get(labels::DATABASE_ID);
        let kid = key.labels().get(labels::KID).context("no kid")?;
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": name },
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": false,
                "securityContext": { "fsGroup": 65532 },
                "volumes": [
                    { "name": "brain", "persistentVolumeClaim": { "claimName": format!("{}-brain", self.name) } },
                    { "name": "key", "secret": {
                        "secretName": key.name_any(), "defaultMode": 0o440, "items": [{ "key": "key", "path": kid }],
                    } },
                ],
                "containers": [{
                    "name": "verify", "image": ENGINE_IMAGE, "args": ["verify"], "securityContext": security(),
                    "env": [
                        { "name": env::SQLITE_DB_PATH, "value": BRAIN_FILE },
                        { "name": env::KEYRING_DIR, "value": KEYRING_DIR },
                        { "name": env::DATABASE_ID, "value": database_id },
                    ],
                    "volumeMounts": [
                        { "name": "brain", "mountPath": DATA_DIR },
                        { "name": "key", "mountPath": KEYRING_DIR },
                    ],
                }],
            },
        });
        self.namespace.create_object::<Pod>(pod).await?;
        let pods: Api<Pod> = self.namespace.api();
        let ended = eventually("the verification to end", 60, || async {
            Ok(ended(&pods.get(&name).await?))
        })
        .await?;
        pods.delete(&name, &DeleteParams::default().grace_period(0))
            .await?;
        eventually("its pod to be gone", 30, || async {
            Ok(pods.get_opt(&name).await?.is_none().then_some(()))
        })
        .await?;
        Ok(ended)
    }
}

/// The rotation in an engine's status.
pub fn rotation(engine: &UserEngine) -> Option<RotationInfo> {
    engine
        .status
        .as_ref()?
        .encryption
        .as_ref()?
        .rotation
        .clone()
}

fn ended(pod: &Pod) -> Option<Ended> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let ended = containers.first()?.state.as_ref()?.terminated.as_ref()?;
    Some(Ended {
        code: ended.exit_code,
        message: ended.message.clone().unwrap_or_default(),
    })
}
