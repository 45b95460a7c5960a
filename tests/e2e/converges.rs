use anyhow::Context as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use userengine_api::labels;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, Kind, Namespace, eventually, holds, in_namespace, is_ready};

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

async fn comes_back<K: Kind>(namespace: &Namespace, name: &str) -> anyhow::Result<()> {
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
            "/spec/ingress",
            json!({ "spec": { "ingress": [{}] } }),
        )
        .await?;
        put_right::<NetworkPolicy>(
            &namespace,
            "/spec/policyTypes",
            json!({ "spec": { "policyTypes": ["Ingress"] } }),
        )
        .await?;
        put_right::<ServiceAccount>(
            &namespace,
            "/automountServiceAccountToken",
            json!({ "automountServiceAccountToken": true }),
        )
        .await?;
        put_right::<ConfigMap>(
            &namespace,
            "/data/brain",
            json!({ "data": { "brain": "create" } }),
        )
        .await?;
        put_right::<Service>(
            &namespace,
            "/spec/selector",
            json!({ "spec": { "selector": { "app": "mine" } } }),
        )
        .await?;
        put_right::<StatefulSet>(
            &namespace,
            "/spec/replicas",
            json!({ "spec": { "replicas": 3 } }),
        )
        .await?;
        // What somebody adds goes as well.
        let host = json!({ "spec": { "template": { "spec": { "hostNetwork": true } } } });
        put_right::<StatefulSet>(&namespace, "/spec/template/spec/hostNetwork", host).await?;
        put_right::<ConfigMap>(&namespace, "/data", json!({ "data": { "theirs": "1" } })).await?;
        let privileged =
            json!({ "spec": { "template": { "spec": { "automountServiceAccountToken": true } } } });
        put_right::<StatefulSet>(
            &namespace,
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
async fn a_child_that_somebody_labels_as_anothers_is_taken_back() -> anyhow::Result<()> {
    in_namespace("labelled", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        taken_back::<Service>(&engine).await?;
        taken_back::<ConfigMap>(&engine).await?;
        taken_back::<ServiceAccount>(&engine).await?;
        taken_back::<NetworkPolicy>(&engine).await?;
        taken_back::<StatefulSet>(&engine).await
    })
    .await
}

/// With the engine at rest, so that nothing else wakes it.
async fn taken_back<K: Kind>(engine: &Engine) -> anyhow::Result<()> {
    for anothers in [json!("bob"), Value::Null] {
        engine.wait_rest().await?;
        let edit = json!({ "metadata": { "labels": { labels::ENGINE: anothers } } });
        put_right::<K>(
            &engine.namespace,
            "/metadata/labels/userengine.dev~1engine",
            edit,
        )
        .await?;
    }
    Ok(())
}

/// Changes a field of the child named `alice`, and waits until it is what it was.
async fn put_right<K: Kind>(
    namespace: &Namespace,
    pointer: &str,
    edit: Value,
) -> anyhow::Result<()> {
    let field = |object: &K| -> anyhow::Result<Value> {
        Ok(serde_json::to_value(object)?
            .pointer(pointer)
            .cloned()
            .unwrap_or_default())
    };
    let before = field(&namespace.api::<K>().get("alice").await?)?;
    let edited = field(&namespace.merge::<K>("alice", edit).await?)?;
    assert_ne!(
        edited,
        before,
        "the edit of {} {pointer} changed nothing",
        K::kind(&())
    );
    eventually(
        &format!("{} {pointer} to be put right", K::kind(&())),
        30,
        || async {
            Ok((field(&namespace.api::<K>().get("alice").await?)? == before).then_some(()))
        },
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
