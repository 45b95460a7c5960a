//! What the engine's start, memory and idle CPU are compared with: the same web framework and runtime, and nothing else.
//!
//! `bare ADDRESS` answers `GET /health` on that address until a signal ends it.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

fn main() -> std::io::Result<()> {
    let Some(address) = std::env::args().nth(1) else {
        return Err(std::io::Error::other("usage: bare ADDRESS"));
    };
    // As many workers as an engine has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let router = Router::new().route("/health", get(async || Json(json!({ "status": "ok" }))));
        axum::serve(TcpListener::bind(address).await?, router).await
    })
}
