use anyhow::Context as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    Namespace as CoreNamespace, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use userengine_api::status::Phase;
use userengine_api::{UserEngine, labels};
use userengine_e2e::trouble::{notes, unless_welcome};
use userengine_e2e::{
    Engine, Namespace, eventually, holds, in_namespace, inside, leader, operator_metrics,
};

use crate::blocks_on_key_trouble::destroy;

/// Names of the encryption-key Secrets.
async fn keys(namespace: &Namespace) -> anyhow::Result<Vec<String>> {
    let all = namespace
        .api::<Secret>()
        .list(&ListParams::default())
        .await?;
    Ok(all
        .iter()
        .map(ResourceExt::name_any)
        .filter(|name| name.contains("-key-"))
        .collect())
}

async fn children_are_gone(namespace: &Namespace) -> anyhow::Result<()> {
    eventually("the disposable children to be gone", 60, || async {
        let pod = namespace.api::<Pod>().get_opt("alice-0").await?.is_none();
        let set = namespace
            .api::<StatefulSet>()
            .get_opt("alice")
            .await?
            .is_none();
        let service = namespace.api::<Service>().get_opt("alice").await?.is_none();
        let api_key = namespace
            .api::<Secret>()
            .get_opt("alice-api-key")
            .await?
            .is_none();
        Ok((pod && set && service && api_key).then_some(()))
    })
    .await
}

#[tokio::test]
async fn retain_leaves_the_brain_and_its_key() -> anyhow::Result<()> {
    in_namespace("retain", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let key = keys(&namespace).await?;
        engine.delete().await?;
        children_are_gone(&namespace).await?;
        let claim = namespace
            .api::<PersistentVolumeClaim>()
            .get("alice-brain")
            .await?;
        assert!(claim.metadata.deletion_timestamp.is_none());
        assert_eq!(keys(&namespace).await?, key);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn delete_takes_the_brain_and_its_key() -> anyhow::Result<()> {
    in_namespace("delete", |namespace| async move {
        let mut object = userengine_e2e::engine("alice", "alice");
        object["spec"]["deletionPolicy"] = json!("Delete");
        let engine = Engine::create(&namespace, object).await?;
        engine.wait_phase(Phase::Ready).await?;
        engine.delete().await?;
        children_are_gone(&namespace).await?;
        eventually("brain and key to be gone", 60, || async {
            let claim = namespace
                .api::<PersistentVolumeClaim>()
                .get_opt("alice-brain")
                .await?;
            Ok((claim.is_none() && keys(&namespace).await?.is_empty()).then_some(()))
        })
        .await
    })
    .await
}

#[tokio::test]
async fn erase_waits_for_whoever_holds_a_key_says_so_and_records_what_it_destroys()
-> anyhow::Result<()> {
    in_namespace("eraseheld", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let key = keys(&namespace).await?.pop().context("no key")?;
        let held =
            json!({ "metadata": { "finalizers": [labels::KEY_FINALIZER, "example.com/escrow"] } });
        namespace.merge::<Secret>(&key, held).await?;
        engine.change(json!({ "deletionPolicy": "Erase" })).await?;
        let engines = namespace.api::<UserEngine>();
        engines.delete("alice", &DeleteParams::default()).await?;
        let said = eventually("the deletion to say what holds it", 60, || async {
            Ok(notes(&engine, "DeletionHeld").await?.pop())
        })
        .await?;
        assert!(said.contains(&key), "{said}");
        let claim = namespace
            .api::<PersistentVolumeClaim>()
            .get("alice-brain")
            .await?;
        assert!(
            claim.metadata.deletion_timestamp.is_none(),
            "the brain goes before its key"
        );
        let leader = leader(&namespace.client).await?.context("nobody leads")?;
        let metrics = operator_metrics(&namespace.client, &leader).await?;
        let counted = metrics.lines().find_map(|line| {
            line.strip_prefix(r#"userengine_operator_engines{phase="Deleting"} "#)
        });
        assert!(counted.is_some_and(|count| count != "0"), "{metrics}");
        let let_go = json!({ "metadata": { "finalizers": null } });
        namespace.merge::<Secret>(&key, let_go).await?;
        eventually("the engine to be gone", 60, || async {
            Ok(engines.get_opt("alice").await?.is_none().then_some(()))
        })
        .await?;
        children_are_gone(&namespace).await?;
        assert_eq!(keys(&namespace).await?, Vec::<String>::new());
        let destroyed = notes(&engine, "KeyDestroyed").await?;
        assert_eq!(destroyed.len(), 1, "{destroyed:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_that_somebody_brought_back_by_hand_and_wrong_holds_no_deletion_up()
-> anyhow::Result<()> {
    for policy in ["Delete", "Erase"] {
        in_namespace(
            &format!("byhand-{}", policy.to_lowercase()),
            |namespace| async move {
                let engine = Engine::ready(&namespace, "alice", "alice").await?;
                let key = keys(&namespace).await?.pop().context("no key")?;
                destroy(&namespace, &key).await?;
                // Nothing marks it as a key of an engine, and the operator may delete nothing but such.
                let bare =
                    json!({ "metadata": { "name": key }, "stringData": { "key": "not a key" } });
                namespace.create_object::<Secret>(bare).await?;
                // Secrets are not watched: what is wished leads to the look.
                engine.change(json!({ "deletionPolicy": policy })).await?;
                engine.wait_reason("Ready", "KeyMalformed").await?;
                let engines = namespace.api::<UserEngine>();
                engines.delete("alice", &DeleteParams::default()).await?;
                eventually("the engine to be gone", 30, || async {
                    Ok(engines.get_opt("alice").await?.is_none().then_some(()))
                })
                .await?;
                assert_eq!(keys(&namespace).await?, Vec::<String>::new());
                Ok(())
            },
        )
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_engine_that_never_came_up_can_be_deleted() -> anyhow::Result<()> {
    in_namespace("stillborn", |namespace| async move {
        let mut object = userengine_e2e::engine("alice", "alice");
        object["spec"]["className"] = json!("no-such-class");
        let engine = Engine::create(&namespace, object).await?;
        engine.wait_phase(Phase::Blocked).await?;
        engine.delete().await
    })
    .await
}

#[tokio::test]
async fn an_engine_goes_though_its_claim_cannot_be_told_that_it_never_was_ready()
-> anyhow::Result<()> {
    in_namespace("untold", |namespace| async move {
        let unknown = json!({ "priorityClassName": "there-is-none" });
        let engine = Engine::of_class(&namespace, unknown).await?;
        engine.wait_reason("EngineAvailable", "PodRefused").await?;
        let claims = namespace.api::<PersistentVolumeClaim>();
        let updates = json!({ "resources": ["persistentvolumeclaims"], "operations": ["UPDATE"] });
        unless_welcome(&namespace, &updates, async {
            let dry = PatchParams {
                dry_run: true,
                ..PatchParams::default()
            };
            let any = Patch::Merge(json!({ "metadata": { "annotations": { "any": "any" } } }));
            eventually("claims to be held as they are", 30, || async {
                let Err(refused) = claims.patch("alice-brain", &dry, &any).await else {
                    return Ok(None);
                };
                Ok(refused.to_string().contains("welcome").then_some(()))
            })
            .await?;
            engine.delete().await
        })
        .await?;
        let claim = claims.get("alice-brain").await?;
        assert_eq!(claim.annotations().get(labels::INITIALISED), None);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_deleted_engine_can_be_begun_anew_at_once() -> anyhow::Result<()> {
    in_namespace("anew", |namespace| async move {
        let mut object = userengine_e2e::engine("alice", "alice");
        object["spec"]["deletionPolicy"] = json!("Delete");
        let first = Engine::create(&namespace, object.clone()).await?;
        first.wait_phase(Phase::Ready).await?;
        let before = inside(&first).await?;
        first.delete().await?;
        // The former volume is still going while its pod stops.
        let second = Engine::create(&namespace, object).await?;
        second.wait_phase(Phase::Ready).await?;
        let after = inside(&second).await?;
        assert_ne!(after["database_id"], before["database_id"]);
        assert_ne!(after["write_kid"], before["write_kid"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_without_a_volume_holds_nothing_up() -> anyhow::Result<()> {
    in_namespace("halfborn", |namespace| async move {
        let quota = json!({
            "metadata": { "name": "no-volumes" },
            "spec": { "hard": { "persistentvolumeclaims": "0" } },
        });
        let _: ResourceQuota = namespace.create_object(quota).await?;
        eventually("the quota to count", 30, || async {
            let quota = namespace.api::<ResourceQuota>().get("no-volumes").await?;
            Ok(quota.status.and_then(|status| status.used))
        })
        .await?;
        let engine = Engine::create(&namespace, userengine_e2e::engine("alice", "alice")).await?;
        let condition = engine.wait_reason("Ready", "ChildRefused").await?;
        assert!(
            condition.message.contains("exceeded quota"),
            "{}",
            condition.message
        );
        assert_eq!(
            keys(&namespace).await?.len(),
            1,
            "more than one key was made"
        );
        engine.delete().await?;
        for name in keys(&namespace).await? {
            let secret = namespace.api::<Secret>().get(&name).await?;
            assert!(
                secret.finalizers().is_empty(),
                "{name} would hold its namespace for ever"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_retained_brain_whose_claim_is_deleted_is_let_go() -> anyhow::Result<()> {
    in_namespace("discard", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.delete().await?;
        children_are_gone(&namespace).await?;
        namespace
            .api::<PersistentVolumeClaim>()
            .delete("alice-brain", &DeleteParams::default())
            .await?;
        eventually("the claim to be gone", 60, || async {
            Ok(namespace
                .api::<PersistentVolumeClaim>()
                .get_opt("alice-brain")
                .await?
                .is_none()
                .then_some(()))
        })
        .await?;
        for name in keys(&namespace).await? {
            let secret = namespace.api::<Secret>().get(&name).await?;
            assert!(
                !secret
                    .finalizers()
                    .iter()
                    .any(|name| name == labels::KEY_FINALIZER),
                "{name} is still held"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_namespace_with_engines_and_retained_brains_ends() -> anyhow::Result<()> {
    let namespace = Namespace::create("ending", &[]).await?;
    let gone = Engine::ready(&namespace, "gone", "gone").await?;
    Engine::ready(&namespace, "alice", "alice").await?;
    gone.delete().await?;
    namespace.delete().await?;
    let all: Api<CoreNamespace> = Api::all(namespace.client.clone());
    eventually("the namespace to be gone", 90, || async {
        let Some(left) = all.get_opt(&namespace.name).await? else {
            return Ok(Some(()));
        };
        let conditions = left
            .status
            .and_then(|status| status.conditions)
            .unwrap_or_default();
        anyhow::bail!(
            "{:?}",
            conditions
                .into_iter()
                .filter_map(|c| c.message)
                .collect::<Vec<_>>()
        )
    })
    .await
}

#[tokio::test]
async fn the_walls_around_an_engine_stand_until_its_pod_is_gone() -> anyhow::Result<()> {
    in_namespace("walls", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let held = json!({ "metadata": { "finalizers": ["example.com/slow"] } });
        namespace.merge::<Pod>("alice-0", held).await?;
        engine.delete().await?;
        let services = namespace.api::<Service>();
        eventually("the garbage collector to have been here", 60, || async {
            let is_collected = services.get_opt("alice").await?.is_none();
            let pod = namespace.api::<Pod>().get("alice-0").await?;
            let is_going = pod.metadata.deletion_timestamp.is_some();
            Ok((is_collected && is_going).then_some(()))
        })
        .await?;
        let walls = namespace.api::<NetworkPolicy>();
        holds("the walls stand", 5, || async {
            Ok(walls.get_opt("alice").await?.is_some())
        })
        .await?;
        // A new engine of the name waits for them, and does not take them for somebody else's.
        let next = Engine::create(&namespace, userengine_e2e::engine("alice", "alice")).await?;
        next.wait_reason("Ready", "Waiting").await?;
        let let_go = json!({ "metadata": { "finalizers": null } });
        namespace.merge::<Pod>("alice-0", let_go).await?;
        next.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}
