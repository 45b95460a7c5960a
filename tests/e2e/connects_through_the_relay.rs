use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use userengine_e2e::{
    Api, Backend, Browser, Engine, Namespace, OauthServer, Page, RELAY, Served, at, eventually,
    in_namespace,
};

/// What a test of connections stands on: two engines in two workspaces, one relay, and a server that asks for OAuth.
struct Stage {
    mcp: OauthServer,
    backend: Backend,
    served: Served,
    elsewhere: Namespace,
    alice: Engine,
    bob: Engine,
}

impl Stage {
    async fn set(test: &str, here: &Namespace) -> anyhow::Result<Self> {
        let mcp = OauthServer::start(&format!("{test}-mcp"), 60).await?;
        let backend = Backend::start(&format!("{test}-backend")).await?;
        let elsewhere = Namespace::create(&format!("{test}-elsewhere"), &[]).await?;
        let mut changes = mcp.class();
        let relay = json!({ "oauthRedirectBaseURL": format!("https://{RELAY}") });
        json_patch::merge(&mut changes, &relay);
        let notes = json!({ "name": "notes", "transport": "streamable_http", "url": mcp.url(), "auth_method": "oauth" });
        let served = Served::new(here, json!([notes]), changes).await?;
        let alice = served.engine(here, "alice").await?;
        let bob = served.engine(&elsewhere, "bob").await?;
        Ok(Self {
            mcp,
            backend,
            served,
            elsewhere,
            alice,
            bob,
        })
    }

    async fn clear(self) -> anyhow::Result<()> {
        self.served.remove().await?;
        self.mcp.stop().await?;
        self.backend.stop().await?;
        self.elsewhere.delete().await
    }

    /// A person's browser, which sees what an ingress would publish.
    fn browser(&self) -> Browser<'_> {
        let mut browser = Browser::new(&self.backend.probe, &self.mcp.ca);
        browser.publish(
            RELAY,
            "userengine-relay.userengine-system.svc.cluster.local",
        );
        for engine in [&self.alice, &self.bob] {
            let service = format!(
                "{}.{}.svc.cluster.local",
                engine.name, engine.namespace.name
            );
            browser.publish(&published(engine), &service);
        }
        browser
    }

    /// Begins to connect an engine to the server.
    async fn begin(&self, api: &Api<'_>) -> anyhow::Result<Begun> {
        let (status, answer) = api
            .post("/assets/connect", &json!({ "server_name": "notes" }))
            .await?;
        ensure!((200..300).contains(&status), "{status}: {answer}");
        ensure!(at(&answer, "/status") == "pending_oauth", "{answer}");
        let text = |field: &str| {
            at(&answer, &format!("/{field}"))
                .as_str()
                .map(str::to_owned)
                .context("not there")
        };
        Ok(Begun {
            ref_id: text("ref_id")?,
            auth_url: text("auth_url")?,
        })
    }
}

/// A connection that waits for a person.
struct Begun {
    ref_id: String,
    auth_url: String,
}

impl Begun {
    /// The `state` that the engine sent along.
    fn state(&self) -> anyhow::Result<&str> {
        let state = self
            .auth_url
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix("state="));
        state.with_context(|| format!("no state in {}", self.auth_url))
    }
}

/// The host of an engine's public address.
fn published(engine: &Engine) -> String {
    format!(
        "{}.{}.engines.example.com",
        engine.name, engine.namespace.name
    )
}

async fn connection(api: &Api<'_>, ref_id: &str) -> anyhow::Result<Value> {
    let (status, answer) = api.get(&format!("/assets/connections/{ref_id}")).await?;
    ensure!(status == 200, "{status}: {answer}");
    Ok(answer)
}

async fn call(api: &Api<'_>, tool: &str, arguments: Value) -> anyhow::Result<(u16, Value)> {
    api.post(
        "/tools/call",
        &json!({ "name": tool, "arguments": arguments }),
    )
    .await
}

#[tokio::test]
async fn two_engines_of_two_workspaces_connect_through_one_relay() -> anyhow::Result<()> {
    in_namespace("relay", |namespace| async move {
        let stage = Stage::set("relay", &namespace).await?;
        let result = both_connect(&stage).await;
        stage.clear().await?;
        result
    })
    .await
}

async fn both_connect(stage: &Stage) -> anyhow::Result<()> {
    for engine in [&stage.alice, &stage.bob] {
        let api = stage.backend.api(engine).await?;
        let begun = stage.begin(&api).await?;
        let page = stage.browser().open(&begun.auth_url).await?;
        passed_the_relay(&page, engine)?;
        let now = connection(&api, &begun.ref_id).await?;
        ensure!(at(&now, "/status") == "connected", "{now}");
        tools_work(stage, &api, engine).await?;
        disconnects(stage, &api, &begun).await?;
    }
    Ok(())
}

fn passed_the_relay(page: &Page, engine: &Engine) -> anyhow::Result<()> {
    let callback = "/assets/oauth/callback?";
    let relay = page
        .passed(&format!("https://{RELAY}{callback}"))
        .with_context(|| format!("{:#?}", page.trail))?;
    let own = page
        .passed(&format!("https://{}{callback}", published(engine)))
        .with_context(|| format!("{:#?}", page.trail))?;
    let query = |url: &str| url.split_once('?').map(|(_, query)| query.to_owned());
    assert_eq!(query(relay), query(own), "the relay changed the query");
    ensure!(page.status == 200, "{}: {}", page.status, page.body);
    Ok(())
}

async fn tools_work(stage: &Stage, api: &Api<'_>, engine: &Engine) -> anyhow::Result<()> {
    eventually("the server's tools to be on offer", 60, || async {
        let (status, tools) = api.get("/tools").await?;
        let offered = tools.to_string().contains("notes.read_notes");
        ensure!(status == 200 && offered, "{status}: {tools}");
        Ok(Some(()))
    })
    .await?;
    let note = format!("a note of {}", engine.name);
    let write = json!({ "text": note });
    let (status, answer) = call(api, "notes.add_note", write.clone()).await?;
    ensure!(
        status == 403 && at(&answer, "/error") == "MCP_SCOPE_MISSING",
        "{status}: {answer}"
    );
    assert_eq!(
        at(&answer, "/details/missing_scopes"),
        &json!(["notes:write"])
    );
    let more = at(&answer, "/details/auth_url")
        .as_str()
        .context("no auth_url")?;
    passed_the_relay(&stage.browser().open(more).await?, engine)?;
    let (status, answer) = call(api, "notes.add_note", write).await?;
    ensure!(status == 200, "{status}: {answer}");
    let (status, answer) = call(api, "notes.read_notes", json!({})).await?;
    ensure!(
        status == 200 && answer.to_string().contains(&note),
        "{status}: {answer}"
    );
    Ok(())
}

async fn disconnects(stage: &Stage, api: &Api<'_>, begun: &Begun) -> anyhow::Result<()> {
    let revoked = |counts: &Value| at(counts, "/revoked").as_u64().unwrap_or_default();
    let before = revoked(&stage.mcp.counts(&stage.backend.probe).await?);
    let (status, answer) = api
        .delete(&format!("/assets/connections/{}", begun.ref_id))
        .await?;
    ensure!((200..300).contains(&status), "{status}: {answer}");
    let (status, answer) = call(api, "notes.read_notes", json!({})).await?;
    assert_eq!(
        (status, at(&answer, "/error")),
        (502, &json!("MCP_CONNECTION_FAILED")),
        "{answer}"
    );
    assert_eq!(at(&answer, "/details/reason"), "not_connected", "{answer}");
    eventually("the provider to be told", 30, || async {
        let counts = stage.mcp.counts(&stage.backend.probe).await?;
        ensure!(revoked(&counts) > before, "{counts}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test]
async fn an_answer_that_is_for_another_engine_connects_nobody() -> anyhow::Result<()> {
    in_namespace("states", |namespace| async move {
        let stage = Stage::set("states", &namespace).await?;
        let result = foreign_states(&stage).await;
        stage.clear().await?;
        result
    })
    .await
}

async fn foreign_states(stage: &Stage) -> anyhow::Result<()> {
    let (alice, bob) = (
        stage.backend.api(&stage.alice).await?,
        stage.backend.api(&stage.bob).await?,
    );
    let (begun, of_bob) = (stage.begin(&alice).await?, stage.begin(&bob).await?);
    let nonce = begun.state()?.rsplit_once('.').context("no nonce")?.1;
    let to_bob = format!("{}.{}.{nonce}", stage.bob.namespace.name, stage.bob.name);
    let callback = |host: &str, state: &str| {
        format!("https://{host}/assets/oauth/callback?code=x&state={state}")
    };
    let browser = stage.browser();
    for (url, reached) in [
        // Her nonce under his name, which the relay follows.
        (callback(RELAY, &to_bob), Some(&stage.bob)),
        // Her whole state, brought to him past the relay.
        (
            callback(&published(&stage.bob), begun.state()?),
            Some(&stage.bob),
        ),
        // A nonce that nobody has drawn.
        (
            callback(RELAY, &format!("{}.alice.0", stage.alice.namespace.name)),
            Some(&stage.alice),
        ),
        // No engine at all.
        (callback(RELAY, "..%2F..%2Fevil.example"), None),
        (callback(RELAY, ""), None),
    ] {
        let page = browser.open(&url).await?;
        ensure!(
            (400..500).contains(&page.status),
            "{url}: {} {}",
            page.status,
            page.body
        );
        let last = page.trail.last().cloned().unwrap_or_default();
        let host = reached.map_or_else(|| RELAY.to_owned(), published);
        ensure!(
            last.starts_with(&format!("https://{host}/")),
            "{url} led to {last}"
        );
    }
    for (api, begun) in [(&alice, &begun), (&bob, &of_bob)] {
        let now = connection(api, &begun.ref_id).await?;
        ensure!(at(&now, "/status") == "pending_oauth", "{now}");
    }
    // None of that has spoilt her own attempt.
    let page = browser.open(&begun.auth_url).await?;
    passed_the_relay(&page, &stage.alice)?;
    // And the same answer counts once.
    let callback = page
        .passed(&format!("https://{RELAY}/"))
        .context("no callback")?;
    let again = browser.open(callback).await?;
    ensure!(
        (400..500).contains(&again.status),
        "{}: {}",
        again.status,
        again.body
    );
    let now = connection(&alice, &begun.ref_id).await?;
    ensure!(at(&now, "/status") == "connected", "{now}");
    Ok(())
}
