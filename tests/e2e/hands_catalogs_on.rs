use std::time::Instant;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use serde_json::{Value, json};
use userengine_e2e::{Api, Backend, Engine, Namespace, Served, at, eventually, in_namespace};

/// Seconds within which a change of the catalog must be in force.
const SOON: f64 = 5.0;

fn open(name: &str) -> Value {
    json!({ "name": name, "transport": "streamable_http", "url": "https://mcp.example.com/mcp", "auth_method": "none" })
}

/// Runs a test with an engine of a class whose catalog has these servers.
async fn with_catalog(
    test: &str,
    servers: Value,
    changes: Value,
    body: impl AsyncFnOnce(&Namespace, &Served, &Backend, &Engine) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    in_namespace(test, |namespace| async move {
        let backend = Backend::start(test).await?;
        let served = Served::new(&namespace, servers, changes).await?;
        let engine = served.engine(&namespace, "alice").await?;
        let result = body(&namespace, &served, &backend, &engine).await;
        served.remove().await?;
        backend.stop().await?;
        result
    })
    .await
}

/// Uid of the pod, and how often its container started: equal values mean that nothing restarted.
async fn run(engine: &Engine) -> anyhow::Result<(Option<String>, i32)> {
    let pod = engine.pod().await?.context("no pod")?;
    let statuses = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    let restarts = statuses.map(|status| status.restart_count).sum();
    Ok((pod.uid(), restarts))
}

async fn names(api: &Api<'_>) -> anyhow::Result<Vec<String>> {
    let (status, servers) = api.get("/assets/servers").await?;
    ensure!(status == 200, "{status}: {servers}");
    let all = servers.as_array().into_iter().flatten();
    Ok(all
        .filter_map(|server| Some(at(server, "/server_name").as_str()?.to_owned()))
        .collect())
}

async fn seconds_until(api: &Api<'_>, wanted: &[&str], since: Instant) -> anyhow::Result<f64> {
    eventually(&format!("the servers to be {wanted:?}"), 30, || async {
        let names = names(api).await?;
        ensure!(names == wanted, "they are {names:?}");
        Ok(Some(()))
    })
    .await?;
    Ok(since.elapsed().as_secs_f64())
}

/// Alone, because it looks at a clock.
#[tokio::test]
async fn alone_an_edited_catalog_is_in_force_within_five_seconds_and_nothing_restarts()
-> anyhow::Result<()> {
    with_catalog("catalog", json!([open("one")]), json!({}), async |_, served, backend, alice| {
        let api = backend.api(alice).await?;
        assert_eq!(names(&api).await?, ["one"], "an engine is born with its catalog");
        let before = run(alice).await?;

        let edited = Instant::now();
        served.list(json!([open("one"), open("two")])).await?;
        let took = seconds_until(&api, &["one", "two"], edited).await?;
        println!("an edited catalog was in force after {took:.1} s");
        ensure!(took < SOON, "an edit took {took:.1} s");

        let edited = Instant::now();
        let files = json!({ "a.json": open("three").to_string(), "b.json": json!([open("four")]).to_string(), "README": "not a file of the catalog" });
        served.write(&files).await?;
        let took = seconds_until(&api, &["four", "three"], edited).await?;
        println!("files that came and went were in force after {took:.1} s");
        ensure!(took < SOON, "files that come and go took {took:.1} s");
        assert_eq!(run(alice).await?, before, "something restarted");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_catalog_that_is_wrong_changes_nothing_and_is_named_entry_by_entry() -> anyhow::Result<()>
{
    with_catalog(
        "badcatalog",
        json!([open("one")]),
        json!({}),
        async |_, served, backend, alice| {
            let api = backend.api(alice).await?;
            served
                .list(json!([open("two"), { "name": "three", "transport": "pigeon" }]))
                .await?;
            let answer = eventually("the reload to name the bad entry", 30, || async {
                let (status, answer) = api.post("/admin/reload-catalog", &json!({})).await?;
                Ok((status == 422).then_some(answer))
            })
            .await?;
            assert_eq!(at(&answer, "/error"), "CATALOG_INVALID", "{answer}");
            let problems = at(&answer, "/details/problems").to_string();
            ensure!(
                problems.contains("servers.json") && problems.contains("three"),
                "{answer}"
            );
            assert_eq!(
                names(&api).await?,
                ["one"],
                "a bad catalog changed something"
            );

            served.list(json!([open("two")])).await?;
            seconds_until(&api, &["two"], Instant::now()).await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test]
async fn a_catalog_that_cannot_be_handed_on_is_a_condition_and_engines_keep_what_they_have()
-> anyhow::Result<()> {
    with_catalog(
        "nocatalog",
        json!([open("one")]),
        json!({}),
        async |namespace, served, backend, alice| {
            let api = backend.api(alice).await?;
            let before = run(alice).await?;
            served.write(&json!({ "servers.json": "[" })).await?;
            let seen = alice.wait_reason("ClassResolved", "CatalogInvalid").await?;
            ensure!(
                seen.message.contains("servers.json") && seen.status == "True",
                "{seen:?}"
            );
            served.forget().await?;
            let seen = alice.wait_reason("ClassResolved", "CatalogMissing").await?;
            ensure!(seen.message.contains(&served.name), "{seen:?}");
            assert_eq!(names(&api).await?, ["one"]);
            alice.wait_reason("Ready", "AsExpected").await?;
            assert_eq!(run(alice).await?, before, "a lost catalog stops nobody");

            // One that is born without a catalog serves all the same, and gets it later.
            let bob = served.engine(namespace, "bob").await?;
            let of_bob = backend.api(&bob).await?;
            assert!(names(&of_bob).await?.is_empty());
            served.list(json!([open("two")])).await?;
            for api in [&api, &of_bob] {
                seconds_until(api, &["two"], Instant::now()).await?;
            }
            alice.wait_reason("ClassResolved", "AsExpected").await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test]
async fn a_missing_secret_makes_its_server_unavailable_until_it_is_there() -> anyhow::Result<()> {
    let protected = json!({
        "name": "crm", "transport": "streamable_http", "url": "https://crm.example.com/mcp", "auth_method": "oauth",
        "oauth": { "client_id": "us", "client_secret_file": "crm-oauth/client-secret", "issuer": "https://crm.example.com" },
    });
    let servers = json!([protected, open("one")]);
    let changes = json!({ "secretNames": ["crm-oauth"] });
    with_catalog("secrets", servers, changes, async |namespace, _, backend, alice| {
        let api = backend.api(alice).await?;
        let crm = api.wait_server("crm", "unavailable", 30).await?;
        ensure!(at(&crm, "/unavailable_reason").to_string().contains("crm-oauth"), "{crm}");
        api.wait_server("one", "available", 30).await?;
        let before = run(alice).await?;
        let secret = json!({ "metadata": { "name": "crm-oauth" }, "stringData": { "client-secret": "s3cret" } });
        namespace.create_object::<Secret>(secret).await?;
        // A change of the pod makes the kubelet look now; by itself it looks within two minutes.
        let pods = namespace.clone();
        pods.merge::<k8s_openapi::api::core::v1::Pod>("alice-0", json!({ "metadata": { "annotations": { "example.com/look": "1" } } })).await?;
        api.wait_server("crm", "available", 150).await?;
        assert_eq!(run(alice).await?, before, "something restarted");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_server_that_would_be_a_child_of_the_engine_is_unavailable_in_a_cluster()
-> anyhow::Result<()> {
    let child = json!({ "name": "files", "transport": "stdio", "command": { "program": "/bin/files" }, "auth_method": "none" });
    with_catalog(
        "stdio",
        json!([child]),
        json!({}),
        async |_, _, backend, alice| {
            let files = backend
                .api(alice)
                .await?
                .wait_server("files", "unavailable", 30)
                .await?;
            ensure!(at(&files, "/unavailable_reason").is_string(), "{files}");
            Ok(())
        },
    )
    .await
}

#[tokio::test]
async fn a_tampered_copy_of_the_catalog_is_put_right() -> anyhow::Result<()> {
    with_catalog(
        "tampered",
        json!([open("one")]),
        json!({}),
        async |namespace, _, backend, alice| {
            let api = backend.api(alice).await?;
            let evil = json!({ "data": { "servers.json": json!([open("evil")]).to_string() } });
            namespace.merge::<ConfigMap>("alice-catalog", evil).await?;
            eventually("the copy to be what it was", 30, || async {
                let copy = namespace.api::<ConfigMap>().get("alice-catalog").await?;
                let text = copy.data.unwrap_or_default().remove("servers.json");
                Ok(text.filter(|text| !text.contains("evil")))
            })
            .await?;
            seconds_until(&api, &["one"], Instant::now()).await?;
            Ok(())
        },
    )
    .await
}
