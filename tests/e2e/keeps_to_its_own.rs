//! What the operator's account may write is an engine's, whatever its roles would let it do: each refusal of the policies in
//! `charts/userengine/templates/admission`, and beside it that the same write of what is an engine's passes.

use anyhow::Context as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use userengine_api::{UserEngine, labels};
use userengine_e2e::attempts::{Attempts, Write, set};
use userengine_e2e::{Engine, Namespace, Probe, in_namespace};

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

fn merged(one: &Value, other: &Value) -> Value {
    let steps = [one, other].into_iter().filter_map(Value::as_array);
    steps.flatten().cloned().collect()
}

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
