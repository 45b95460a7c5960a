use anyhow::ensure;
use serde_json::{Value, json};
use userengine_api::names::Names;
use userengine_e2e::{
    Backend, Engine, Namespace, OauthServer, Probe, Served, at, eventually, in_namespace,
};

/// An engine of a class that opens these of the two walls between it and a server in the cluster.
async fn engine(
    namespace: &Namespace,
    name: &str,
    mcp: &OauthServer,
    shut: Value,
) -> anyhow::Result<(Served, Engine)> {
    let notes = json!([{ "name": "notes", "transport": "streamable_http", "url": mcp.url(), "auth_method": "oauth" }]);
    let mut changes = mcp.class();
    json_patch::merge(&mut changes, &json!({ "egress": shut }));
    let class = format!("{name}-{}", namespace.name);
    let served = Served::named(class, namespace, notes, changes).await?;
    let engine = served.engine(namespace, name).await?;
    Ok((served, engine))
}

#[tokio::test]
async fn a_private_server_is_reached_only_where_the_class_opens_both_walls() -> anyhow::Result<()> {
    in_namespace("wayout", |namespace| async move {
        let mcp = OauthServer::start("wayout-mcp", 60).await?;
        let backend = Backend::start("wayout-backend").await?;
        let both = engine(&namespace, "alice", &mcp, json!({})).await?;
        let network = engine(&namespace, "bob", &mcp, json!({ "allow": null })).await?;
        let guard = engine(&namespace, "carol", &mcp, json!({ "namespaces": null })).await?;
        let result = walls(&namespace, &mcp, &backend, [&both.1, &network.1, &guard.1]).await;
        for (served, _) in [both, network, guard] {
            served.remove().await?;
        }
        mcp.stop().await?;
        backend.stop().await?;
        result
    })
    .await
}

async fn walls(
    namespace: &Namespace,
    mcp: &OauthServer,
    backend: &Backend,
    [both, network, guard]: [&Engine; 3],
) -> anyhow::Result<()> {
    let address = mcp.address();
    for (engine, open) in [(both, true), (network, true), (guard, false)] {
        let inside = Probe::inside(namespace, &Names(&engine.name).pod()).await?;
        if open {
            eventually("the way out to be open", 30, || async {
                Ok(inside.can_dial(&address).await?.then_some(()))
            })
            .await?;
        } else {
            let reached = inside.can_dial(&address).await?;
            assert!(!reached, "the network of {} is open", engine.name);
        }
    }
    let connect = json!({ "server_name": "notes" });
    for (engine, words) in [
        (both, None),
        (network, Some("egress guard")),
        (guard, Some("connect")),
    ] {
        let api = backend.api(engine).await?;
        let (status, answer) = api.post("/assets/connect", &connect).await?;
        match words {
            None => ensure!((200..300).contains(&status), "{status}: {answer}"),
            Some(words) => {
                let said = at(&answer, "/message").as_str().unwrap_or_default();
                ensure!(
                    status >= 500 && said.contains(words),
                    "{}: {status}: {answer}",
                    engine.name
                );
            }
        }
    }
    Ok(())
}
