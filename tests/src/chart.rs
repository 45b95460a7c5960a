//! The chart: what it makes, and its release, which whoever changes it puts back as it was.

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

/// Where it is, from where tests run.
pub const CHART: &str = "../charts/userengine";

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

/// The objects of a release of this chart, a folder or a packed one, as an API server would read them. No cluster is asked.
pub async fn render(
    chart: &str,
    (release, namespace): (&str, &str),
    values: &Value,
) -> anyhow::Result<Vec<Value>> {
    // Or it takes the version that it was built for.
    let like = ["--kube-version", "1.34.0", "--values", "-"];
    let template = ["template", release, chart, "--namespace", namespace];
    let values = values.to_string();
    let yaml = run("helm", &[template.as_slice(), &like].concat(), &values).await?;
    // It reads YAML as the API server does, to which `no` is no word, and names have to be words.
    let read = ["label", "--local", "--overwrite", "-f", "-", "-o", "json"];
    let labelled = [read.as_slice(), &["example.com/read=yes"]].concat();
    let json = run("kubectl", &labelled, &yaml).await?;
    let objects = serde_json::Deserializer::from_str(&json).into_iter::<Value>();
    Ok(objects.collect::<Result<Vec<_>, _>>()?)
}

/// Packs the chart under another version, of itself and of its programs, into this folder.
pub async fn pack(version: &str, folder: &str) -> anyhow::Result<String> {
    let versions = ["--version", version, "--app-version", version];
    let pack = ["package", CHART, "--destination", folder];
    run("helm", &[pack.as_slice(), &versions].concat(), "").await?;
    Ok(format!("{folder}/userengine-{version}.tgz"))
}

async fn put(command: &str, how: &[&str], values: &Value) -> anyhow::Result<()> {
    let put = [command, "userengine", CHART];
    let wait = ["--wait", "--timeout", "120s", "--values", "-"];
    helm(&[put.as_slice(), &wait, how].concat(), &values.to_string()).await?;
    Ok(())
}

/// Runs helm for the operator's namespace with this input and gives what it prints.
async fn helm(arguments: &[&str], input: &str) -> anyhow::Result<String> {
    let arguments = [arguments, &["--namespace", SYSTEM]].concat();
    run("helm", &arguments, input).await
}

/// Runs a program with this input and gives what it prints.
async fn run(program: &str, arguments: &[&str], input: &str) -> anyhow::Result<String> {
    let mut process = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to run {program}"))?;
    let mut stdin = process.stdin.take().context("no input")?;
    let writes = async move { stdin.write_all(input.as_bytes()).await };
    // At once: it may print more than fits between the two before it has read everything.
    let (written, output) = tokio::join!(writes, process.wait_with_output());
    let output = output?;
    ensure!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    written?;
    Ok(String::from_utf8(output.stdout)?)
}
