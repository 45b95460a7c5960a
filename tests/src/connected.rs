//! An engine with a connection that a person agreed to.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::{Api, Backend, Browser, Engine, Namespace, OauthServer, Served, at, eventually};

/// An engine that is connected to a server behind OAuth.
pub struct Connected {
    mcp: OauthServer,
    backend: Backend,
    served: Served,
    /// The engine.
    pub engine: Engine,
    /// The connection.
    pub ref_id: String,
}

impl Connected {
    /// Makes all of it, and connects.
    pub async fn new(test: &str, namespace: &Namespace) -> anyhow::Result<Self> {
        let mcp = OauthServer::start(&format!("{test}-mcp"), 3600).await?;
        let backend = Backend::start(&format!("{test}-backend")).await?;
        let notes = json!({ "name": "notes", "transport": "streamable_http", "url": mcp.url(), "auth_method": "oauth" });
        let served = Served::new(namespace, json!([notes]), mcp.class()).await?;
        let engine = served.engine(namespace, "alice").await?;
        let mut connected = Self {
            mcp,
            backend,
            served,
            engine,
            ref_id: String::new(),
        };
        connected.ref_id = connected.connect().await?;
        Ok(connected)
    }

    async fn connect(&self) -> anyhow::Result<String> {
        let api = self.backend.api(&self.engine).await?;
        let (status, begun) = api
            .post("/assets/connect", &json!({ "server_name": "notes" }))
            .await?;
        ensure!((200..300).contains(&status), "{status}: {begun}");
        let (name, space) = (&self.engine.name, &self.engine.namespace.name);
        let mut browser = Browser::new(&self.backend.probe, &self.mcp.ca);
        browser.publish(
            &format!("{name}.{space}.engines.example.com"),
            &format!("{name}.{space}.svc.cluster.local"),
        );
        let url = at(&begun, "/auth_url").as_str().context("no auth_url")?;
        let page = browser.open(url).await?;
        ensure!(page.status == 200, "{}: {}", page.status, page.body);
        let ref_id = at(&begun, "/ref_id").as_str().context("no ref_id")?;
        Ok(ref_id.to_owned())
    }

    /// Sees that the tool answers, through the connection that was made first.
    pub async fn tool_works(&self) -> anyhow::Result<()> {
        let api = self.backend.api(&self.engine).await?;
        let path = format!("/assets/connections/{}", self.ref_id);
        let (status, connection) = api.get(&path).await?;
        ensure!(
            status == 200 && at(&connection, "/status") == "connected",
            "{status}: {connection}"
        );
        eventually("the tool to answer", 60, || async {
            let (status, answer) = read(&api).await?;
            ensure!(status == 200, "{status}: {answer}");
            Ok(Some(()))
        })
        .await
    }

    /// How often somebody consented, and how often a client was registered.
    pub async fn authorized(&self) -> anyhow::Result<Value> {
        let counts = self.mcp.counts(&self.backend.probe).await?;
        Ok(json!([
            at(&counts, "/authorized"),
            at(&counts, "/registered")
        ]))
    }

    /// Removes what is outside the namespace.
    pub async fn clear(self) -> anyhow::Result<()> {
        self.served.remove().await?;
        self.mcp.stop().await?;
        self.backend.stop().await
    }
}

async fn read(api: &Api<'_>) -> anyhow::Result<(u16, Value)> {
    let call = json!({ "name": "notes.read_notes", "arguments": {} });
    api.post("/tools/call", &call).await
}
