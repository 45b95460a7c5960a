//! The claims of brains.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::json;
use userengine_api::labels;
use userengine_e2e::attempts::{Attempts, Write, set};
use userengine_e2e::{Engine, Namespace, in_namespace};

use super::{MANAGED_BY, NAME, OWNERS, merged, somebody};

#[tokio::test]
async fn the_operator_touches_no_volume_but_brains() -> anyhow::Result<()> {
    in_namespace("claims", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        let brain = Attempts::on::<PersistentVolumeClaim>(&namespace, "alice-brain").await?;
        brain.passes(Write::Delete).await?;
        let theirs = json!({ "metadata": { "finalizers": [labels::CLAIM_FINALIZER] } });
        brain
            .refused(Write::Merge(theirs), "no finalizer but its own")
            .await?;
        let adopted = json!({ "metadata": { "ownerReferences": somebody() } });
        brain
            .refused(Write::Merge(adopted), "no finalizer but its own")
            .await?;
        let brains = "only claims of engines' brains";
        brain
            .refused(Write::Create(set(NAME, "data")), brains)
            .await?;
        brain
            .refused(Write::Create(set(MANAGED_BY, "Helm")), brains)
            .await?;

        asks_for_empty_volumes(&namespace, &brain).await?;
        let claim = claim(&namespace, "team-brain").await?;
        claim.refused(Write::Delete, brains).await?;
        let taken = json!({ "metadata": { "annotations": { labels::USER: "alice" } } });
        claim.refused(Write::Merge(taken.clone()), brains).await?;
        // The documented step of an adoption, by somebody who may take it.
        namespace
            .merge::<PersistentVolumeClaim>("team-brain", taken.clone())
            .await?;
        claim.passes(Write::Delete).await?;
        // The mark alone makes no brain of it.
        let data = self::claim(&namespace, "team-data").await?;
        namespace
            .merge::<PersistentVolumeClaim>("team-data", taken)
            .await?;
        data.refused(Write::Delete, brains).await?;
        let let_go = json!({ "metadata": { "finalizers": null } });
        data.refused(Write::Merge(let_go), brains).await
    })
    .await
}

async fn asks_for_empty_volumes(namespace: &Namespace, brain: &Attempts) -> anyhow::Result<()> {
    let fresh = json!([
        { "op": "remove", "path": "/spec/volumeName" },
        { "op": "add", "path": NAME, "value": "carol-brain" },
        { "op": "add", "path": "/metadata/labels/userengine.dev~1engine", "value": "carol" },
    ]);
    brain.passes(Write::Create(fresh.clone())).await?;
    let empty = "asks for empty volumes";
    let source = json!({ "kind": "PersistentVolumeClaim", "name": "shop-data" });
    for chosen in [
        set("/spec/volumeName", "pv-of-others"),
        set(
            "/spec/selector",
            json!({ "matchLabels": { "app": "shop" } }),
        ),
        set("/spec/dataSource", source.clone()),
        set("/spec/dataSourceRef", source),
    ] {
        let chosen = Write::Create(merged(&fresh, &chosen));
        brain.refused(chosen, empty).await?;
    }
    let stay = json!(["example.com/stay"]);
    for holder in [set("/metadata/finalizers", stay), set(OWNERS, somebody())] {
        let held = Write::Create(merged(&fresh, &holder));
        brain.refused(held, "no owner, and no finalizer").await?;
    }
    // Nobody has made a volume for it.
    let object = json!({
        "metadata": { "name": "zoe-brain", "annotations": { labels::USER: "zoe" } },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "resources": { "requests": { "storage": "1Mi" } },
        },
    });
    namespace
        .create_object::<PersistentVolumeClaim>(object)
        .await?;
    let adopted = Attempts::on::<PersistentVolumeClaim>(namespace, "zoe-brain").await?;
    let marked = json!({ "metadata": { "labels": { labels::ENGINE: "zoe" } } });
    adopted.passes(Write::Merge(marked)).await?;
    let chosen = json!({ "spec": { "volumeName": "pv-of-others" } });
    adopted.refused(Write::Merge(chosen), empty).await
}

/// Somebody's claim.
async fn claim(namespace: &Namespace, name: &str) -> anyhow::Result<Attempts> {
    let object = json!({
        "metadata": { "name": name },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Mi" } } },
    });
    namespace
        .create_object::<PersistentVolumeClaim>(object)
        .await?;
    Attempts::on::<PersistentVolumeClaim>(namespace, name).await
}
