//! An engine's HTTP API, as the platform's backend calls it.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{Answer, Engine, Namespace, PLATFORM, Probe, eventually};

/// The platform's backend: a pod that the test class lets talk to engines.
pub struct Backend {
    /// The pod.
    pub probe: Probe,
    namespace: Namespace,
}

impl Backend {
    /// Starts it, in a namespace of its own.
    pub async fn start(test: &str) -> anyhow::Result<Self> {
        let namespace = Namespace::create(test, &[(PLATFORM, "true")]).await?;
        let probe = Probe::start(&namespace, "backend").await?;
        Ok(Self { probe, namespace })
    }

    /// Removes it.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.namespace.delete().await
    }

    /// The API of an engine that serves, with its key, once its Service leads there: kube-proxy follows a pod that became Ready
    /// a second late or more.
    pub async fn api<'a>(&'a self, engine: &'a Engine) -> anyhow::Result<Api<'a>> {
        let health = engine.url("/health");
        eventually("the Service to lead to the engine", 30, || async {
            let answer = self.probe.get(&health, None).await?;
            Ok((answer.status() == Some(200)).then_some(()))
        })
        .await?;
        Ok(Api {
            backend: self,
            engine,
            header: format!("X-Engine-Key: {}", engine.api_key().await?),
        })
    }
}

/// The API of one engine.
pub struct Api<'a> {
    backend: &'a Backend,
    engine: &'a Engine,
    header: String,
}

/// The status and the JSON of an answer; null if it has none.
pub type Reply = (u16, Value);

impl Api<'_> {
    /// `GET`.
    pub async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.call("GET", path, None).await
    }

    /// `POST` of a body.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.call("POST", path, Some(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Reply> {
        self.call("DELETE", path, None).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Reply> {
        let url = self.engine.url(path);
        let mut arguments = vec!["http", "--timeout", "40s", "-X", method, "-H", &self.header];
        let body = body.map(Value::to_string);
        if let Some(body) = &body {
            arguments.extend(["-H", "Content-Type: application/json", "-d", body]);
        }
        arguments.push(&url);
        let answer = self.backend.probe.run(&arguments).await?;
        reply(&answer).with_context(|| format!("{method} {url}"))
    }

    /// What `GET /assets/servers` says of a server.
    pub async fn server(&self, name: &str) -> anyhow::Result<Option<Value>> {
        let (status, servers) = self.get("/assets/servers").await?;
        ensure!(status == 200, "{status}: {servers}");
        let mut all = servers.as_array().into_iter().flatten();
        Ok(all
            .find(|server| at(server, "/server_name") == name)
            .cloned())
    }

    /// Waits until a server is listed and has this status.
    pub async fn wait_server(
        &self,
        name: &str,
        status: &str,
        seconds: u64,
    ) -> anyhow::Result<Value> {
        let what = format!("{name} to be {status} in {}", self.engine.name);
        eventually(&what, seconds, || async {
            let server = self.server(name).await?.context("it is not listed")?;
            ensure!(at(&server, "/status") == status, "{server}");
            Ok(Some(server))
        })
        .await
    }
}

fn reply(answer: &Answer) -> anyhow::Result<Reply> {
    let status = answer
        .status()
        .with_context(|| format!("no answer: {}", answer.text))?;
    let body = answer.body().trim();
    let json = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(body).with_context(|| format!("{status}, and no JSON: {body}"))?
    };
    Ok((status, json))
}

/// What a JSON Pointer finds; null if nothing.
pub fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}
