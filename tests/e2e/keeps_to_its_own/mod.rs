//! What the operator's account may write is an engine's, whatever its roles would let it do: each refusal of the policies in
//! `charts/userengine/templates/admission`, and beside it that the same write of what is an engine's passes.

mod children;
mod claims;
mod secrets;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};
use userengine_api::{UserEngine, labels};
use userengine_e2e::attempts::{Attempts, Write, set};
use userengine_e2e::{Engine, Probe, in_namespace};

const NAME: &str = "/metadata/name";
const OWNERS: &str = "/metadata/ownerReferences";
const MANAGED_BY: &str = "/metadata/labels/app.kubernetes.io~1managed-by";

fn nothing() -> Value {
    json!([])
}

/// An engine that there is not, as an owner.
fn somebody() -> Value {
    json!([{
        "apiVersion": "userengine.dev/v1alpha1", "kind": "UserEngine", "name": "team",
        "uid": "5f0ab1f4-6d3c-4d3c-9a55-3a3f0f4f8f11", "controller": true,
    }])
}

/// One change, and then the other.
fn merged(one: &Value, other: &Value) -> Value {
    let steps = [one, other].into_iter().filter_map(Value::as_array);
    steps.flatten().cloned().collect()
}

#[tokio::test]
async fn the_operator_annotates_and_deletes_the_pods_of_engines_and_changes_nothing_else_of_any_pod()
-> anyhow::Result<()> {
    in_namespace("pods", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        Probe::start(&namespace, "stranger").await?;
        let note = json!({ "metadata": { "annotations": { labels::CATALOG: "x" } } });
        let alice = Attempts::on::<Pod>(&namespace, "alice-0").await?;
        alice.passes(Write::Merge(note.clone())).await?;
        let stranger = Attempts::on::<Pod>(&namespace, "stranger").await?;
        stranger
            .refused(Write::Merge(note), "pods of engines only")
            .await?;
        let image = json!([{ "name": "engine", "image": "localhost/another:1" }]);
        for change in [
            json!({ "metadata": { "labels": { labels::ENGINE: "bob" } } }),
            json!({ "metadata": { "finalizers": ["example.com/stay"] } }),
            json!({ "metadata": { "ownerReferences": null } }),
            json!({ "spec": { "activeDeadlineSeconds": 1 } }),
        ] {
            alice
                .refused(Write::Merge(change), "annotations of pods only")
                .await?;
        }
        let image = Write::Strategic(json!({ "spec": { "containers": image } }));
        alice.refused(image, "annotations of pods only").await?;
        alice.passes(Write::Delete).await?;
        stranger
            .refused(Write::Delete, "pods of engines only")
            .await
    })
    .await
}

#[tokio::test]
async fn the_operator_writes_children_of_engines_only() -> anyhow::Result<()> {
    in_namespace("children", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        let settings = Attempts::on::<ConfigMap>(&namespace, "alice").await?;
        settings.passes(Write::Replace(nothing())).await?;
        let labels = "has the labels of an engine";
        for change in [set(MANAGED_BY, "Helm"), set(OWNERS, json!([]))] {
            settings.refused(Write::Replace(change), labels).await?;
        }
        is_held_by_its_engine_alone(&settings).await?;
        let (catalog, other) = (set(NAME, "alice-catalog"), set(NAME, "alice-others"));
        let names = "under the names that the children";
        settings.refused(Write::Create(other), names).await?;
        // The name is right, so that only the object that is there already is in the way.
        let there = settings.passes(Write::Create(catalog)).await;
        assert!(there.is_err_and(|error| format!("{error:#}").contains("already exists")));

        let account = Attempts::on::<ServiceAccount>(&namespace, "alice").await?;
        let deployer = Write::Create(set(NAME, "deployer"));
        account.refused(deployer, names).await?;
        // As a pattern it would stand for alice as well.
        let pattern = json!([
            { "op": "add", "path": NAME, "value": "a.i.e" },
            { "op": "add", "path": "/metadata/labels/userengine.dev~1engine", "value": "a.i.e" },
            { "op": "add", "path": format!("{OWNERS}/0/name"), "value": "a.i.e" },
        ]);
        account.refused(Write::Create(pattern), labels).await?;

        let roots = "kube-root-ca.crt";
        let mut theirs = serde_json::to_value(namespace.api::<ConfigMap>().get("alice").await?)?;
        theirs["metadata"]["name"] = json!(roots);
        let roots = Attempts::with::<ConfigMap>(&namespace, theirs).await?;
        roots
            .refused(Write::Replace(nothing()), "only what belongs to an engine")
            .await
    })
    .await
}

/// What is made for an engine that there is not is soon collected.
async fn is_held_by_its_engine_alone(settings: &Attempts) -> anyhow::Result<()> {
    let unserved = set(&format!("{OWNERS}/0/apiVersion"), "userengine.dev/v0");
    for write in [Write::Create(unserved.clone()), Write::Replace(unserved)] {
        settings
            .refused(write, "has the labels of an engine")
            .await?;
    }
    for kind in ["ConfigMap", "Pod"] {
        let owner = json!({
            "apiVersion": "v1", "kind": kind, "name": "somebody-elses",
            "uid": "5f0ab1f4-6d3c-4d3c-9a55-3a3f0f4f8f11",
        });
        let held = set(&format!("{OWNERS}/-"), owner);
        for write in [Write::Create(held.clone()), Write::Replace(held)] {
            settings.refused(write, "no other owners").await?;
        }
    }
    let held = set("/metadata/finalizers", json!(["example.com/stay"]));
    for write in [Write::Create(held.clone()), Write::Replace(held)] {
        settings.refused(write, "puts no finalizers").await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_operator_opens_the_way_to_nobody_else() -> anyhow::Result<()> {
    in_namespace("network", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        let walls = Attempts::on::<NetworkPolicy>(&namespace, "alice").await?;
        walls.passes(Write::Replace(nothing())).await?;
        let behind = json!({
            "apiVersion": "v1", "kind": "Pod", "name": "alice-0",
            "uid": "5f0ab1f4-6d3c-4d3c-9a55-3a3f0f4f8f11",
        });
        let handed_on = Write::Replace(set(&format!("{OWNERS}/-"), behind));
        walls.passes(handed_on).await?;
        let own = "select pods of their own engine only";
        let everybody = Write::Replace(set("/spec/podSelector", json!({})));
        walls.refused(everybody, own).await?;

        let address = Attempts::on::<Service>(&namespace, "alice").await?;
        address.passes(Write::Replace(nothing())).await?;
        let anothers = set("/spec/selector", json!({ "app": "shop" }));
        address.refused(Write::Replace(anothers), own).await?;
        for outside in [
            set("/spec/type", "LoadBalancer"),
            set("/spec/externalIPs", json!(["192.0.2.1"])),
        ] {
            address
                .refused(Write::Replace(outside), "inside the cluster only")
                .await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_operator_changes_no_wish_and_no_job_of_others() -> anyhow::Result<()> {
    in_namespace("wishes", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        let alice = Attempts::on::<UserEngine>(&namespace, "alice").await?;
        let let_go = json!({ "metadata": { "finalizers": null } });
        alice.passes(Write::Merge(let_go)).await?;
        for wish in [
            json!({ "spec": { "suspended": true } }),
            json!({ "metadata": { "annotations": { labels::PAUSED: "true" } } }),
            json!({ "metadata": { "labels": { "example.com/team": "another" } } }),
            json!({ "metadata": { "ownerReferences": somebody() } }),
            json!({ "metadata": { "finalizers": ["example.com/stay"] } }),
        ] {
            alice.refused(Write::Merge(wish), "nothing of a UserEngine").await?;
        }

        let container = json!({ "name": "c", "image": "localhost/nothing:1" });
        let pod = json!({ "restartPolicy": "Never", "containers": [container] });
        let job = json!({ "metadata": { "name": "nightly" }, "spec": { "suspend": true, "template": { "spec": pod } } });
        namespace.create_object::<Job>(job).await?;
        let job = Attempts::on::<Job>(&namespace, "nightly").await?;
        job.refused(Write::Delete, "only what belongs to an engine").await
    })
    .await
}
