use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use userengine_api::status::Phase;
use userengine_api::{UserEngine, labels};
use userengine_e2e::trouble::{LOOK, is_told_once, says};
use userengine_e2e::{
    Engine, Kind, Namespace, condition, eventually, holds, in_namespace, is_ready,
};

use crate::blocks_on_key_trouble::key_secret;
use crate::suspends_and_resumes::key_secrets;

#[tokio::test]
async fn every_deleted_child_comes_back() -> anyhow::Result<()> {
    in_namespace("deleted", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        comes_back::<NetworkPolicy>(&namespace, "alice").await?;
        comes_back::<ServiceAccount>(&namespace, "alice").await?;
        comes_back::<ConfigMap>(&namespace, "alice").await?;
        comes_back::<ConfigMap>(&namespace, "alice-catalog").await?;
        comes_back::<Service>(&namespace, "alice").await?;
        comes_back::<Service>(&namespace, "alice-headless").await?;
        comes_back::<StatefulSet>(&namespace, "alice").await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

/// Deletes a child, and waits until there is another one of its name.
pub async fn comes_back<K: Kind>(namespace: &Namespace, name: &str) -> anyhow::Result<()> {
    let api: Api<K> = namespace.api();
    let before = api.get(name).await?.uid();
    api.delete(name, &DeleteParams::default()).await?;
    eventually(
        &format!("{} {name} to come back", K::kind(&())),
        30,
        || async {
            let now = api
                .get_opt(name)
                .await?
                .filter(|now| now.meta().deletion_timestamp.is_none());
            Ok(now.filter(|now| now.uid() != before).map(drop))
        },
    )
    .await
}

#[tokio::test]
async fn every_edited_child_is_put_right() -> anyhow::Result<()> {
    in_namespace("edited", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        put_right::<NetworkPolicy>(
            &namespace,
            "alice",
            "/spec/ingress",
            json!({ "spec": { "ingress": [{}] } }),
        )
        .await?;
        put_right::<NetworkPolicy>(
            &namespace,
            "alice",
            "/spec/policyTypes",
            json!({ "spec": { "policyTypes": ["Ingress"] } }),
        )
        .await?;
        put_right::<ServiceAccount>(
            &namespace,
            "alice",
            "/automountServiceAccountToken",
            json!({ "automountServiceAccountToken": true }),
        )
        .await?;
        put_right::<ConfigMap>(
            &namespace,
            "alice",
            "/data/brain",
            json!({ "data": { "brain": "create" } }),
        )
        .await?;
        put_right::<Service>(
            &namespace,
            "alice",
            "/spec/selector",
            json!({ "spec": { "selector": { "app": "mine" } } }),
        )
        .await?;
        put_right::<StatefulSet>(
            &namespace,
            "alice",
            "/spec/replicas",
            json!({ "spec": { "replicas": 3 } }),
        )
        .await?;
        // What somebody adds goes as well.
        let host = json!({ "spec": { "template": { "spec": { "hostNetwork": true } } } });
        put_right::<StatefulSet>(&namespace, "alice", "/spec/template/spec/hostNetwork", host)
            .await?;
        put_right::<ConfigMap>(
            &namespace,
            "alice",
            "/data",
            json!({ "data": { "theirs": "1" } }),
        )
        .await?;
        let privileged =
            json!({ "spec": { "template": { "spec": { "automountServiceAccountToken": true } } } });
        put_right::<StatefulSet>(
            &namespace,
            "alice",
            "/spec/template/spec/automountServiceAccountToken",
            privileged,
        )
        .await?;
        engine.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_edited_headless_service_or_catalog_is_put_right() -> anyhow::Result<()> {
    in_namespace("headless", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let pod = engine.pod_uid().await?;
        for (field, edit) in [
            ("selector", json!({ "app": "mine" })),
            ("ports", json!([{ "name": "api", "port": 1 }])),
            // What somebody adds goes as well.
            ("publishNotReadyAddresses", json!(true)),
        ] {
            let edit = json!({ "spec": { field: edit } });
            let field = format!("/spec/{field}");
            put_right::<Service>(&namespace, "alice-headless", &field, edit).await?;
        }
        let added = json!({ "data": { "theirs.json": "{}" } });
        put_right::<ConfigMap>(&namespace, "alice-catalog", "/data", added).await?;
        engine.wait_phase(Phase::Ready).await?;
        assert_eq!(engine.pod_uid().await?, pod, "it cost the engine its pod");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_child_that_somebody_labels_as_anothers_is_taken_back() -> anyhow::Result<()> {
    in_namespace("labelled", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        taken_back::<Service>(&engine, "alice").await?;
        taken_back::<Service>(&engine, "alice-headless").await?;
        taken_back::<ConfigMap>(&engine, "alice").await?;
        taken_back::<ServiceAccount>(&engine, "alice").await?;
        taken_back::<NetworkPolicy>(&engine, "alice").await?;
        taken_back::<PersistentVolumeClaim>(&engine, "alice-brain").await?;
        taken_back::<StatefulSet>(&engine, "alice").await
    })
    .await
}

/// With the engine at rest, so that nothing else wakes it.
async fn taken_back<K: Kind>(engine: &Engine, name: &str) -> anyhow::Result<()> {
    for anothers in [json!("bob"), Value::Null] {
        engine.wait_rest().await?;
        let edit = json!({ "metadata": { "labels": { labels::ENGINE: anothers } } });
        put_right::<K>(
            &engine.namespace,
            name,
            "/metadata/labels/userengine.dev~1engine",
            edit,
        )
        .await?;
    }
    Ok(())
}

/// Changes a field of a child, and waits until it is what it was.
async fn put_right<K: Kind>(
    namespace: &Namespace,
    name: &str,
    pointer: &str,
    edit: Value,
) -> anyhow::Result<()> {
    let field = |object: &K| -> anyhow::Result<Value> {
        Ok(serde_json::to_value(object)?
            .pointer(pointer)
            .cloned()
            .unwrap_or_default())
    };
    let before = field(&namespace.api::<K>().get(name).await?)?;
    let edited = field(&namespace.merge::<K>(name, edit).await?)?;
    assert_ne!(
        edited,
        before,
        "the edit of {} {name} {pointer} changed nothing",
        K::kind(&())
    );
    eventually(
        &format!("{} {name} {pointer} to be put right", K::kind(&())),
        30,
        || async { Ok((field(&namespace.api::<K>().get(name).await?)? == before).then_some(())) },
    )
    .await
}

#[tokio::test]
async fn a_child_that_somebody_else_takes_over_stays_as_it_is_until_it_is_given_back()
-> anyhow::Result<()> {
    in_namespace("taken-over", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let theirs = json!({ "metadata": { "name": "theirs" } });
        let theirs: ConfigMap = namespace.create_object(theirs).await?;
        let theirs = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": theirs.uid(), "controller": true,
        }]);
        let nothing = || async { Ok(()) };
        taken_over::<NetworkPolicy>(&engine, "alice", &theirs, nothing()).await?;
        taken_over::<ServiceAccount>(&engine, "alice", &theirs, nothing()).await?;
        taken_over::<ConfigMap>(&engine, "alice", &theirs, nothing()).await?;
        taken_over::<ConfigMap>(&engine, "alice-catalog", &theirs, nothing()).await?;
        taken_over::<Service>(&engine, "alice", &theirs, nothing()).await?;
        taken_over::<Service>(&engine, "alice-headless", &theirs, nothing()).await?;
        let in_vain = asked_to_stop_in_vain(&engine);
        taken_over::<StatefulSet>(&engine, "alice", &theirs, in_vain).await
    })
    .await
}

/// Puts these owners in the place of the engine, lets something happen meanwhile, and gives the child back: nobody touches the child,
/// and the engine, whose pod serves all the while, says what is the matter.
async fn taken_over<K: Kind>(
    engine: &Engine,
    name: &str,
    theirs: &Value,
    meanwhile: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let children: Api<K> = engine.namespace.api();
    let what = format!("{} '{name}'", K::kind(&()));
    let pod = engine.pod_uid().await?;
    let ours = json!(children.get(name).await?.owner_references());
    let owned_by = |owners: &Value| json!({ "metadata": { "ownerReferences": owners } });
    let taken: K = engine.namespace.merge(name, owned_by(theirs)).await?;
    let said = engine.wait_reason("Ready", "ChildNotOurs").await?.message;
    assert!(said.contains(&what), "{said}");
    meanwhile.await.with_context(|| what.clone())?;
    holds(&format!("{what} is left alone"), 2, || async {
        let now = children.get(name).await?;
        Ok(now.resource_version() == taken.resource_version())
    })
    .await?;
    let _: K = engine.namespace.merge(name, owned_by(&ours)).await?;
    engine.wait_phase(Phase::Ready).await?;
    let after = engine.pod_uid().await?;
    assert_eq!(after, pod, "{what} cost the engine its pod");
    Ok(())
}

/// Whoever backs a volume up waits for `Suspended`: it is not said while the pod of a StatefulSet serves that is not the engine's to stop.
async fn asked_to_stop_in_vain(engine: &Engine) -> anyhow::Result<()> {
    engine.change(json!({ "suspended": true })).await?;
    eventually("the wish to be looked at", 30, || async {
        let now = engine.get().await?;
        let looked_at = now.status.and_then(|status| status.observed_generation);
        Ok((looked_at == now.metadata.generation).then_some(()))
    })
    .await?;
    holds("its pod serves and is not called suspended", 3, || async {
        let phase = engine.get().await?.status.and_then(|status| status.phase);
        let serves = engine.pod().await?.as_ref().is_some_and(is_ready);
        Ok(serves && phase != Some(Phase::Suspended))
    })
    .await?;
    engine.wait_reason("Ready", "ChildNotOurs").await?;
    engine.change(json!({ "suspended": false })).await
}

#[tokio::test]
async fn a_claim_that_is_stripped_gets_labels_and_finalizer_back_while_its_engine_serves()
-> anyhow::Result<()> {
    in_namespace("stripped", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let pod = engine.pod_uid().await?;
        let ready_since = || async {
            // With the engine at rest, so that nothing else wakes it.
            let now = engine.wait_rest().await?;
            let ready = condition(&now, "Ready").context("no condition Ready")?;
            ensure!(ready.status == "True", "{ready:?}");
            anyhow::Ok(ready.last_transition_time)
        };
        let before = ready_since().await?;
        let claims = namespace.api::<PersistentVolumeClaim>();
        let claim = claims.get("alice-brain").await?;
        let others = claim.finalizers().iter();
        let others: Vec<_> = others
            .filter(|name| *name != labels::CLAIM_FINALIZER)
            .collect();
        let is_whole = |now: &PersistentVolumeClaim| {
            let mut held_by = now.finalizers().iter();
            now.labels() == claim.labels() && held_by.any(|name| name == labels::CLAIM_FINALIZER)
        };
        for bare in [
            json!({ "labels": null }),
            json!({ "finalizers": others }),
            json!({ "labels": null, "finalizers": others }),
        ] {
            let bare = json!({ "metadata": bare });
            let stripped: PersistentVolumeClaim = namespace.merge("alice-brain", bare).await?;
            assert!(!is_whole(&stripped), "nothing was taken off");
            eventually("the claim to be marked and held again", 30, || async {
                Ok(is_whole(&claims.get("alice-brain").await?).then_some(()))
            })
            .await?;
            assert_eq!(ready_since().await?, before, "it was not Ready meanwhile");
        }
        assert_eq!(engine.pod_uid().await?, pod, "it cost the engine its pod");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_claim_that_loses_its_record_blocks_the_engine_which_serves_until_it_is_put_back()
-> anyhow::Result<()> {
    in_namespace("unrecorded", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.wait_rest().await?;
        let (pod, keys) = (engine.pod_uid().await?, engine.keys().await?);
        let recorded = record(&namespace).await?;
        let annotate = |record: Value| {
            let record = json!({ "metadata": { "annotations": record } });
            namespace.merge::<PersistentVolumeClaim>("alice-brain", record)
        };
        let names = recorded.keys();
        let nothing: BTreeMap<_, _> = names.map(|name| (name, Value::Null)).collect();
        annotate(json!(nothing)).await?;
        serves_though_blocked(&engine, "KeyUnknown", "alice-brain").await?;
        // Nobody guesses what it said, and no other key is made.
        assert_eq!(record(&namespace).await?, BTreeMap::new());
        assert_eq!(key_secrets(&engine).await?.len(), 1);
        annotate(json!(recorded)).await?;
        engine.wait_phase(Phase::Ready).await?;
        engine.wait_rest().await?;
        assert_eq!(record(&namespace).await?, recorded);
        assert_eq!(engine.keys().await?, keys);
        assert_eq!(engine.pod_uid().await?, pod, "it cost the engine its pod");
        Ok(())
    })
    .await
}

/// What the claim says of its brain.
async fn record(namespace: &Namespace) -> anyhow::Result<BTreeMap<String, String>> {
    let claim: PersistentVolumeClaim = namespace.api().get("alice-brain").await?;
    let mut record = claim.annotations().clone();
    record.retain(|name, _| name.starts_with(labels::DOMAIN));
    Ok(record)
}

/// What is said of the key names the object, and is told once; the engine is left as it is.
async fn serves_though_blocked(engine: &Engine, reason: &str, object: &str) -> anyhow::Result<()> {
    let said = says(engine, ("KeyAvailable", reason), || async { Ok(true) }).await?;
    assert!(said.message.contains(object), "{}", said.message);
    engine.wait_phase(Phase::Blocked).await?;
    is_told_once(engine, reason, LOOK).await?;
    engine.wait_reason("EngineAvailable", "AsExpected").await?;
    Ok(())
}

#[tokio::test]
async fn a_key_secret_that_is_stripped_is_held_again_and_known_by_its_name() -> anyhow::Result<()> {
    in_namespace("barekey", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let pod = engine.pod_uid().await?;
        let name = key_secret(&namespace).await?.name_any();
        let bare = json!({ "labels": null, "annotations": null, "finalizers": null });
        let bare = json!({ "metadata": bare });
        namespace.merge::<Secret>(&name, bare).await?;
        look(&engine, "it is bare").await?;
        let held = eventually("the key to be held again", 30, || async {
            let now = namespace.api::<Secret>().get(&name).await?;
            let is_held = now.finalizers() == [labels::KEY_FINALIZER];
            Ok(is_held.then_some(now))
        })
        .await?;
        // Of a key the operator may change nothing else.
        assert_eq!(held.metadata.labels, None);
        assert_eq!(held.metadata.annotations, None);
        engine.wait_phase(Phase::Ready).await?;
        assert_eq!(engine.pod_uid().await?, pod, "it cost the engine its pod");
        // That nothing but its name says whose it is keeps nobody from erasing it.
        engine.change(json!({ "deletionPolicy": "Erase" })).await?;
        engine.delete().await?;
        assert_eq!(key_secrets(&engine).await?, Vec::<String>::new());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_secret_that_names_another_brain_blocks_the_engine_which_serves_until_it_is_mended()
-> anyhow::Result<()> {
    in_namespace("misnamed", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.wait_rest().await?;
        let pod = engine.pod_uid().await?;
        let secret = key_secret(&namespace).await?;
        let name = secret.name_any();
        let brain = secret.annotations().get(labels::DATABASE_ID);
        let brain = brain.context("it names no brain")?;
        let annotate = |brain: Value| {
            let brain = json!({ "metadata": { "annotations": { labels::DATABASE_ID: brain } } });
            namespace.merge::<Secret>(&name, brain)
        };
        annotate(json!("another")).await?;
        look(&engine, "it is another's").await?;
        serves_though_blocked(&engine, "KeyForeign", &name).await?;
        // While a key blocks an engine it is looked at every ten seconds.
        annotate(json!(brain)).await?;
        engine.wait_phase(Phase::Ready).await?;
        assert_eq!(engine.pod_uid().await?, pod, "it cost the engine its pod");
        Ok(())
    })
    .await
}

/// Secrets are not watched: any change of the engine leads to a look at them.
async fn look(engine: &Engine, why: &str) -> anyhow::Result<()> {
    let touch = json!({ "metadata": { "annotations": { "example.com/look": why } } });
    let engines = &engine.namespace;
    engines.merge::<UserEngine>(&engine.name, touch).await?;
    Ok(())
}

#[tokio::test]
async fn an_api_key_that_is_tampered_with_is_mended() -> anyhow::Result<()> {
    in_namespace("apikey", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let key = engine.api_key().await?;
        let hashes = |secret: Secret| {
            secret
                .data
                .and_then(|mut data| data.remove("hashes"))
                .map(|bytes| bytes.0)
        };
        let good = hashes(namespace.api::<Secret>().get("alice-api-key").await?);
        namespace
            .merge::<Secret>(
                "alice-api-key",
                json!({ "stringData": { "hashes": "0000" } }),
            )
            .await?;
        // Secrets are not watched: a look at the engine is what finds it.
        engine
            .change(json!({ "suspended": false, "deletionPolicy": "Delete" }))
            .await?;
        eventually("the hashes to match the key again", 30, || async {
            Ok(
                (hashes(namespace.api::<Secret>().get("alice-api-key").await?) == good)
                    .then_some(()),
            )
        })
        .await?;
        assert_eq!(
            engine.api_key().await?,
            key,
            "the key itself was not to change"
        );

        namespace
            .api::<Secret>()
            .delete("alice-api-key", &DeleteParams::default())
            .await?;
        engine.change(json!({ "deletionPolicy": "Retain" })).await?;
        let fresh = eventually("a new API key", 30, || async {
            Ok(engine.api_key().await.ok())
        })
        .await?;
        assert_ne!(fresh, key);
        Ok(())
    })
    .await
}
