//! An engine in this process, with connections to servers in this process.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use super::upstream::{SOON, Upstream};
use crate::support::in_process::TestEngine;

pub struct World {
    pub engine: TestEngine,
    pub catalog: TempDir,
}

/// An entry of the catalog.
pub fn entry(name: &str, upstream: &Upstream) -> Value {
    json!({
        "name": name,
        "transport": "streamable_http",
        "url": upstream.url(),
        "auth_method": "none",
        "trust_annotations": true
    })
}

impl World {
    /// An engine that is connected to these servers, under these names.
    pub async fn connected(servers: &[(&str, &Upstream)], more: &[(&str, &str)]) -> Self {
        let entries = servers.iter().map(|(name, upstream)| entry(name, upstream));
        let allowed: Vec<String> = servers
            .iter()
            .map(|(_, upstream)| upstream.allowed())
            .collect();
        let world = Self::start(&entries.collect::<Vec<_>>(), &allowed.join(","), more).await;
        for (name, _) in servers {
            world.connect(name).await;
        }
        world
    }

    /// An engine with this catalog.
    pub async fn start(entries: &[Value], allowed: &str, more: &[(&str, &str)]) -> Self {
        let catalog = tempfile::tempdir().unwrap();
        for entry in entries {
            write_entry(&catalog, entry);
        }
        let mut variables = vec![
            ("CATALOG_DIR", catalog.path().to_str().unwrap()),
            ("EGRESS_ALLOW", allowed),
        ];
        variables.extend(more);
        let engine = TestEngine::start_live(&variables).await;
        Self { engine, catalog }
    }

    /// Stops the engine cleanly and starts it again.
    pub async fn restarted(self) -> Self {
        Self {
            engine: self.engine.restart().await,
            ..self
        }
    }

    pub async fn connect(&self, name: &str) -> Response<Value> {
        let answer = self
            .post("/assets/connect", json!({ "server_name": name }))
            .await;
        assert_eq!(answer.status(), 200, "{}", answer.body());
        answer
    }

    pub async fn request(&self, method: &str, path: &str, body: Option<Value>) -> Response<String> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-engine-key", "current")
            .header("x-request-id", "a-test");
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let response = self.engine.api().oneshot(request.unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
    }

    pub async fn post(&self, path: &str, body: Value) -> Response<Value> {
        let (head, text) = self.request("POST", path, Some(body)).await.into_parts();
        Response::from_parts(head, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> Response<Value> {
        let (head, text) = self.request("GET", path, None).await.into_parts();
        Response::from_parts(head, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Calls a tool with a text.
    pub async fn call(&self, name: &str) -> Response<Value> {
        self.call_with(name, json!({ "text": "hello" })).await
    }

    pub async fn call_with(&self, name: &str, arguments: Value) -> Response<Value> {
        let body = json!({ "name": name, "arguments": arguments });
        self.post("/tools/call", body).await
    }

    /// Status, code and reason of a call.
    pub async fn outcome(&self, name: &str) -> (u16, String, String) {
        let answer = self.call(name).await;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let body = answer.body();
        (
            answer.status().as_u16(),
            word(&body["error"]),
            word(&body["details"]["reason"]),
        )
    }

    pub async fn tools(&self) -> Vec<Value> {
        let answer = self.get("/tools").await;
        assert_eq!(answer.status(), 200);
        answer.body().as_array().unwrap().clone()
    }

    /// Names of all tools.
    pub async fn names(&self) -> Vec<String> {
        let tools = self.tools().await;
        tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The audit's rows of this kind, oldest first, once there are so many.
    pub async fn audit(&self, kind: &str, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let answer = self.get("/audit?limit=500").await;
            let rows = answer.body()["rows"].as_array().unwrap().clone();
            let mut rows: Vec<Value> = rows.into_iter().filter(|row| row["kind"] == kind).collect();
            rows.reverse();
            if rows.len() >= count && rows.iter().all(|row| row["outcome"] != "started") {
                return rows;
            }
            assert!(began.elapsed() < SOON, "only {rows:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The connection as the API shows it.
    pub async fn connection(&self, alias: &str) -> Value {
        let list = self.get("/assets/connections").await;
        let connections = list.body().as_array().unwrap();
        let found = connections
            .iter()
            .find(|one| one["alias"] == alias)
            .unwrap();
        let path = format!("/assets/connections/{}", found["ref_id"].as_str().unwrap());
        self.get(&path).await.into_body()
    }

    /// Waits until the answer to a question is yes.
    pub async fn until(&self, what: &str, mut is_so: impl AsyncFnMut(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self).await {
            assert!(began.elapsed() < SOON, "never: {what}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the breaker of a connection is in this state.
    pub async fn breaker_is(&self, alias: &str, state: &str) {
        self.until(&format!("{alias} {state}"), async |world| {
            world.connection(alias).await["breaker"]["state"] == state
        })
        .await;
    }
}

/// Writes an entry into a catalog's folder.
pub fn write_entry(catalog: &TempDir, entry: &Value) {
    let name = format!("{}.json", entry["name"].as_str().unwrap());
    std::fs::write(catalog.path().join(name), entry.to_string()).unwrap();
}
