//! The chart's release, which whoever changes it puts back as it was.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::operator::LEASE;
use crate::{SYSTEM, wait_for_operators};

/// The values that it was installed with.
pub async fn values() -> anyhow::Result<Value> {
    let values = helm(&["get", "values", "userengine", "--output", "json"], "").await?;
    Ok(serde_json::from_str(&values)?)
}

/// Uninstalls it, and waits until it is gone. An operator whose rights go before it cannot release its Lease: that goes as well,
/// so that the next one need not wait until it has run out.
pub async fn uninstall() -> anyhow::Result<()> {
    helm(&["uninstall", "userengine", "--wait"], "").await?;
    let client = crate::client().await?;
    wait_for_operators(&client, 0).await?;
    let leases: Api<Lease> = Api::namespaced(client, SYSTEM);
    match leases.delete(LEASE, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        deleted => Ok(deleted.map(drop)?),
    }
}

/// Installs it with these values, and waits until it is ready.
pub async fn install(values: &Value) -> anyhow::Result<()> {
    put("install", &["--take-ownership"], values).await
}

/// Changes it to these values, and waits until it is ready.
pub async fn upgrade(values: &Value) -> anyhow::Result<()> {
    put("upgrade", &["--reset-values"], values).await
}

async fn put(command: &str, how: &[&str], values: &Value) -> anyhow::Result<()> {
    let put = [command, "userengine", "../charts/userengine"];
    let wait = ["--wait", "--timeout", "120s", "--values", "-"];
    helm(&[put.as_slice(), &wait, how].concat(), &values.to_string()).await?;
    Ok(())
}

/// Runs helm with this input and gives what it prints.
async fn helm(arguments: &[&str], input: &str) -> anyhow::Result<String> {
    let mut process = Command::new("helm")
        .args(arguments)
        .args(["--namespace", SYSTEM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("failed to run helm")?;
    let mut stdin = process.stdin.take().context("no input")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    let output = process.wait_with_output().await?;
    ensure!(
        output.status.success(),
        "helm {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
