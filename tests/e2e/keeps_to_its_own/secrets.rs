//! Keys and API keys.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use userengine_api::labels;
use userengine_e2e::attempts::{Attempts, Write, set};
use userengine_e2e::{Engine, Namespace, in_namespace};

use super::{MANAGED_BY, NAME, OWNERS, merged, somebody};

#[tokio::test]
async fn the_operator_touches_no_secret_but_keys() -> anyhow::Result<()> {
    in_namespace("secrets", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        let key = key_of(&namespace, "alice").await?;
        let key = Attempts::on::<Secret>(&namespace, &key).await?;
        key.passes(Write::Delete).await?;
        let let_go = json!({ "metadata": { "finalizers": null } });
        key.passes(Write::Merge(let_go)).await?;
        for change in [
            json!({ "metadata": { "annotations": { labels::DATABASE_ID: "another" } } }),
            json!({ "metadata": { "labels": { labels::KID: "another" } } }),
            json!({ "metadata": { "finalizers": ["example.com/stay"] } }),
            json!({ "metadata": { "ownerReferences": somebody() } }),
        ] {
            key.refused(
                Write::Merge(change),
                "nothing of a key but its own finalizer",
            )
            .await?;
        }
        let next = set(NAME, "alice-key-0123456789");
        key.passes(Write::Create(next.clone())).await?;
        let unlabelled = merged(&next, &set(MANAGED_BY, "Helm"));
        let changeable = merged(&next, &set("/immutable", false));
        let anothers = set(NAME, "bob-key-0123456789");
        for change in [unlabelled, changeable, anothers] {
            key.refused(
                Write::Create(change),
                "with the labels of their engine only",
            )
            .await?;
        }
        key.refused(
            Write::Create(merged(&next, &of_an_account())),
            "of type Opaque only",
        )
        .await?;
        let holds = "that nothing else holds";
        for holder in [
            set("/metadata/finalizers", json!(["example.com/stay"])),
            set(OWNERS, somebody()),
        ] {
            let held = Write::Create(merged(&next, &holder));
            key.refused(held, holds).await?;
        }
        let name = "under the names of engines' keys";
        key.refused(Write::Create(set(NAME, "deploy-token")), name)
            .await?;

        let token = secret(&namespace, "deploy-token").await?;
        token
            .refused(Write::Merge(json!({ "data": null })), name)
            .await?;
        token.refused(Write::Delete, name).await?;
        // Its name alone makes no key of it.
        let unmarked = secret(&namespace, "team-key-0123456789").await?;
        unmarked
            .refused(Write::Delete, "marked as an engine's")
            .await?;
        let theirs = secret(&namespace, "team-api-key").await?;
        theirs
            .refused(Write::Merge(json!({ "data": null })), name)
            .await?;
        // Nor does an owner that it gets on the way.
        let adopted = json!({ "metadata": { "ownerReferences": somebody() }, "data": null });
        theirs
            .refused(Write::Merge(adopted), "the API keys of engines only")
            .await?;
        makes_no_api_key_for_another_engine(&namespace).await
    })
    .await
}

/// What makes the control plane put the token of a ServiceAccount into a Secret.
fn of_an_account() -> Value {
    json!([
        { "op": "add", "path": "/type", "value": "kubernetes.io/service-account-token" },
        { "op": "add", "path": "/metadata/annotations", "value": { "kubernetes.io/service-account.name": "default" } },
    ])
}

async fn makes_no_api_key_for_another_engine(namespace: &Namespace) -> anyhow::Result<()> {
    let api_key = Attempts::on::<Secret>(namespace, "alice-api-key").await?;
    let another = set(NAME, "bob-api-key");
    let owned = merged(&another, &set(&format!("{OWNERS}/0/name"), "bob"));
    let whole = merged(
        &owned,
        &set("/metadata/labels/userengine.dev~1engine", "bob"),
    );
    api_key.passes(Write::Create(whole.clone())).await?;
    let token = Write::Create(merged(&whole, &of_an_account()));
    api_key.refused(token, "of type Opaque only").await?;
    let stay = json!(["example.com/stay"]);
    let held = merged(&whole, &set("/metadata/finalizers", stay.clone()));
    api_key
        .refused(Write::Create(held), "that nothing else holds")
        .await?;
    let held = json!({ "metadata": { "finalizers": stay } });
    api_key
        .refused(Write::Merge(held), "neither owners nor finalizers")
        .await?;
    let noted = json!({ "metadata": { "annotations": { labels::API_KEY_ROTATION: "x" } } });
    api_key.passes(Write::Merge(noted)).await?;
    let labels = "with the labels of their engine only";
    api_key.refused(Write::Create(owned), labels).await?;
    let names = "under the names of engines' keys";
    api_key.refused(Write::Create(another), names).await
}

/// The name of the engine's first key.
async fn key_of(namespace: &Namespace, engine: &str) -> anyhow::Result<String> {
    let ours = format!("{}={engine},{}", labels::ENGINE, labels::KID);
    let keys = ListParams::default().labels(&ours);
    let keys = namespace.api::<Secret>().list(&keys).await?.items;
    Ok(keys.first().context("no key")?.name_any())
}

/// Somebody's Secret.
async fn secret(namespace: &Namespace, name: &str) -> anyhow::Result<Attempts> {
    let object = json!({ "metadata": { "name": name }, "stringData": { "token": "t" } });
    namespace.create_object::<Secret>(object).await?;
    Attempts::on::<Secret>(namespace, name).await
}
