//! A field that is given as null is one that is not given: templates and tools write such manifests.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use kube::api::{Api, ApiResource, DynamicObject};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use userengine_api::UserEngine;
use userengine_api::status::Phase;
use userengine_e2e::{CLASS, Engine, Namespace, class, in_namespace};

/// What a template makes of a person's values.
fn manifest(encryption: &Value) -> Value {
    json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "UserEngine",
        "metadata": { "name": "alice" },
        "spec": { "user": "alice", "className": CLASS, "storage": null, "encryption": encryption },
    })
}

/// `kubectl replace` reads what is there before it writes, and the operator may write in between: then it is to be said again.
const SAY_AGAIN: &str = "the object has been modified";

async fn kubectl(namespace: &Namespace, verb: &str, manifest: &Value) -> anyhow::Result<()> {
    loop {
        let mut process = Command::new("kubectl")
            .args(["-n", &namespace.name, verb, "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to run kubectl")?;
        let mut stdin = process.stdin.take().context("no input")?;
        stdin.write_all(manifest.to_string().as_bytes()).await?;
        drop(stdin);
        let output = process.wait_with_output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains(SAY_AGAIN) {
            continue;
        }
        ensure!(output.status.success(), "kubectl {verb} {manifest}: {said}");
        return Ok(());
    }
}

/// The spec as the API server keeps it.
async fn kept(namespace: &Namespace) -> anyhow::Result<Value> {
    let resource = ApiResource::erase::<UserEngine>(&());
    let api: Api<DynamicObject> =
        Api::namespaced_with(namespace.client.clone(), &namespace.name, &resource);
    let data = api.get("alice").await?.data;
    data.get("spec").cloned().context("no spec")
}

#[tokio::test]
async fn a_request_follows_a_null_and_a_null_a_request() -> anyhow::Result<()> {
    in_namespace("null", |namespace| async move {
        class(&namespace.client, CLASS, json!({})).await?;
        kubectl(&namespace, "create", &manifest(&Value::Null)).await?;
        let engine = Engine {
            name: "alice".to_owned(),
            namespace: namespace.clone(),
        };
        engine.wait_phase(Phase::Ready).await?;
        let spec = kept(&namespace).await?;
        ensure!(spec.get("encryption").is_none(), "{spec}");

        let nobody_asks = json!({ "rotation": null, "maxAge": null });
        kubectl(&namespace, "replace", &manifest(&nobody_asks)).await?;
        ensure!(kept(&namespace).await?["encryption"] == json!({}));
        let before = engine.keys().await?;

        let asked = json!({ "rotation": { "id": "r-1", "rollbackTo": null, "setAside": null }, "maxAge": null });
        kubectl(&namespace, "replace", &manifest(&asked)).await?;
        engine.wait_rotation("r-1", "Certified").await?;
        engine.wait_phase(Phase::Ready).await?;
        ensure!(engine.keys().await?.len() == before.len() + 1);

        for encryption in [nobody_asks, asked, Value::Null] {
            kubectl(&namespace, "replace", &manifest(&encryption)).await?;
            engine.wait_phase(Phase::Ready).await?;
        }
        ensure!(engine.keys().await?.len() == before.len() + 1);
        kubectl(&namespace, "apply", &manifest(&Value::Null)).await
    })
    .await
}
