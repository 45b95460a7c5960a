//! What an operator is told to take for an API server.

use std::net::Ipv4Addr;
use std::path::Path;

use axum::Router;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Serves until it is dropped. Writes a kubeconfig that leads here.
pub async fn serve(router: Router, kubeconfig: &Path) -> anyhow::Result<JoinSet<()>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let name = "simulated";
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": name, "cluster": { "server": format!("http://{}", listener.local_addr()?) } }],
        "users": [{ "name": name, "user": {} }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "current-context": name,
    });
    std::fs::write(kubeconfig, config.to_string())?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            eprintln!("    the simulated API server ended: {error}");
        }
    });
    Ok(tasks)
}
