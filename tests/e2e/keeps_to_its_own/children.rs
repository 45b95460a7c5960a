//! Walls, addresses, and what pods are made from. Other policies speak of these kinds too: each object here is one that they let
//! pass, so that what is refused is refused by the policy of the children.

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};
use userengine_api::labels;
use userengine_e2e::attempts::{Attempts, Write, set};
use userengine_e2e::{Kind, Namespace, in_namespace};

use super::{MANAGED_BY, NAME, OWNERS, merged, nothing, somebody};

const FINALIZERS: &str = "/metadata/finalizers";
const LABELS: &str = "has the labels of an engine";

/// A spec for the engine of this name; for no engine, if it is empty.
type Spec = fn(&str) -> Value;

fn pods(engine: &str) -> Value {
    json!({ labels::NAME: labels::NAME_VALUE, labels::ENGINE: engine })
}

fn walls(engine: &str) -> Value {
    json!({ "podSelector": { "matchLabels": pods(engine) } })
}

fn address(engine: &str) -> Value {
    json!({ "selector": pods(engine), "ports": [{ "port": 80 }] })
}

/// Without a replica: none of them ever runs.
fn set_of_pods(engine: &str) -> Value {
    let container = json!({
        "name": "engine", "image": "localhost/nothing:1", "securityContext": { "allowPrivilegeEscalation": false },
    });
    let confined = json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } });
    let pod = json!({
        "serviceAccountName": engine, "automountServiceAccountToken": false,
        "securityContext": confined, "containers": [container],
    });
    json!({
        "replicas": 0,
        "selector": { "matchLabels": pods(engine) },
        "template": { "metadata": { "labels": pods(engine) }, "spec": pod },
    })
}

#[tokio::test]
async fn the_operator_writes_walls_addresses_and_sets_of_pods_for_engines_only()
-> anyhow::Result<()> {
    in_namespace("kinds", |namespace| async move {
        is_written_for_engines_only::<NetworkPolicy>(&namespace, walls, &["team", "team-rotation"])
            .await
            .context("a NetworkPolicy")?;
        is_written_for_engines_only::<Service>(&namespace, address, &["team", "team-headless"])
            .await
            .context("a Service")?;
        is_written_for_engines_only::<StatefulSet>(&namespace, set_of_pods, &["team"])
            .await
            .context("a StatefulSet")
    })
    .await
}

/// `own`: the names under which an engine has objects of this kind.
async fn is_written_for_engines_only<K: Kind>(
    namespace: &Namespace,
    spec: Spec,
    own: &[&str],
) -> anyhow::Result<()> {
    let labels = json!({ labels::MANAGED_BY: labels::MANAGER, labels::ENGINE: "team" });
    let metadata = json!({ "name": "team", "labels": labels, "ownerReferences": somebody() });
    let object = json!({ "metadata": metadata, "spec": spec("team") });
    let team = Attempts::with::<K>(namespace, object).await?;
    is_made_for_engines_only(&team, spec, own).await?;

    // Somebody's, under the name that an engine's would have.
    let theirs = json!({ "metadata": { "name": "team" }, "spec": spec("team") });
    namespace.create_object::<K>(theirs).await?;
    team.refused(Write::Replace(nothing()), "only what belongs to an engine")
        .await?;
    // It has no owner yet, or it would be collected: there is no such engine.
    let marked = json!({ "metadata": { "labels": { labels::ENGINE: "team" } } });
    namespace.merge::<K>("team", marked).await?;
    is_changed_for_engines_only(&team).await?;
    keeps_what_others_hold::<K>(namespace, &team).await
}

async fn is_made_for_engines_only(team: &Attempts, spec: Spec, own: &[&str]) -> anyhow::Result<()> {
    for name in own {
        team.passes(Write::Create(set(NAME, *name))).await?;
    }
    // The last is the name of another kind of child.
    for name in ["shop", "team-others", "team-catalog"] {
        let names = "under the names that the children";
        team.refused(Write::Create(set(NAME, name)), names).await?;
    }
    // What is no engine's may name no engine's pods either, or the other policies would refuse it.
    let unlabelled = merged(&set(MANAGED_BY, "Helm"), &set("/spec", spec("")));
    for change in [unlabelled, set(OWNERS, nothing())] {
        team.refused(Write::Create(change), LABELS).await?;
    }
    for (change, words) in held() {
        team.refused(Write::Create(change), words).await?;
    }
    Ok(())
}

async fn is_changed_for_engines_only(team: &Attempts) -> anyhow::Result<()> {
    team.passes(Write::Replace(nothing())).await?;
    let orphaned = Write::Replace(set(OWNERS, nothing()));
    team.refused(orphaned, LABELS).await?;
    for (change, words) in held() {
        team.refused(Write::Replace(change), words).await?;
    }
    Ok(())
}

/// What would hold it when its engine is gone, and the words that refuse it.
fn held() -> [(Value, &'static str); 2] {
    let owner = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "somebody-elses",
        "uid": "5f0ab1f4-6d3c-4d3c-9a55-3a3f0f4f8f11",
    });
    [
        (set(&format!("{OWNERS}/-"), owner), "no other owners"),
        (
            set(FINALIZERS, json!(["example.com/stay"])),
            "puts no finalizers",
        ),
    ]
}

async fn keeps_what_others_hold<K: Kind>(
    namespace: &Namespace,
    team: &Attempts,
) -> anyhow::Result<()> {
    let stay = json!(["example.com/stay"]);
    let holding = json!({ "metadata": { "finalizers": stay } });
    namespace.merge::<K>("team", holding).await?;
    let kept = team.passes(Write::Replace(set(FINALIZERS, stay))).await;
    let without = Write::Replace(nothing());
    let taken = team.refused(without, "takes none off").await;
    // Before anything fails, or it would hold the namespace as well.
    let let_go = json!({ "metadata": { "finalizers": null } });
    namespace.merge::<K>("team", let_go).await?;
    kept.and(taken)
}
