use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::ListParams;
use userengine_api::key::EncryptionKey;
use userengine_api::labels;
use userengine_api::layout::config_map;
use userengine_e2e::{Engine, Namespace, Probe, eventually, holds, in_namespace};

#[tokio::test]
async fn an_applied_engine_becomes_ready_with_everything_it_needs() -> anyhow::Result<()> {
    in_namespace("create", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice@example.com").await?;
        namespace
            .api::<Service>()
            .get("alice")
            .await
            .context("service")?;
        namespace
            .api::<Service>()
            .get("alice-headless")
            .await
            .context("headless service")?;
        namespace
            .api::<NetworkPolicy>()
            .get("alice")
            .await
            .context("network policy")?;
        let account = namespace
            .api::<ServiceAccount>()
            .get("alice")
            .await
            .context("service account")?;
        assert_eq!(account.automount_service_account_token, Some(false));

        let status = engine.get().await?.status.unwrap_or_default();
        assert_eq!(status.class_name.as_deref(), Some("e2e"));
        assert_eq!(
            status.url,
            Some(format!(
                "https://alice.{}.engines.example.com",
                namespace.name
            ))
        );
        assert!(status.node.is_some(), "no node in the status");
        eventually("every condition to be as it should", 30, || async {
            let conditions = engine.get().await?.status.unwrap_or_default().conditions;
            let wrong = conditions.iter().find(|condition| {
                let expected = if condition.type_ == "Paused" {
                    "False"
                } else {
                    "True"
                };
                condition.status != expected
            });
            match wrong {
                Some(condition) => bail!("{condition:?}"),
                None => Ok((!conditions.is_empty()).then_some(())),
            }
        })
        .await?;
        let version = eventually("the status to show the engine's version", 30, || async {
            Ok(engine
                .get()
                .await?
                .status
                .and_then(|status| status.engine?.version))
        });
        assert_eq!(version.await?, env!("CARGO_PKG_VERSION"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_claim_records_whose_brain_it_is_and_which_key_opens_it() -> anyhow::Result<()> {
    in_namespace("record", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice@example.com").await?;
        let claim = namespace
            .api::<PersistentVolumeClaim>()
            .get("alice-brain")
            .await?;
        let uid = engine.get().await?.uid().unwrap_or_default();
        assert_eq!(
            claim.annotations().get(labels::USER).map(String::as_str),
            Some("alice@example.com")
        );
        assert_eq!(claim.annotations().get(labels::DATABASE_ID), Some(&uid));
        // That there is a brain, the engine itself remembers as long as it is there.
        assert_eq!(claim.annotations().get(labels::INITIALISED), None);
        let settings = namespace.api::<ConfigMap>().get("alice").await?;
        let settings = settings.data.unwrap_or_default();
        assert_eq!(
            settings.get(config_map::BRAIN).map(String::as_str),
            Some(config_map::EXISTING)
        );
        let status = engine.get().await?.status.unwrap_or_default();
        assert!(status.storage.is_some_and(|storage| storage.initialised));
        assert!(
            claim
                .finalizers()
                .iter()
                .any(|name| name == labels::CLAIM_FINALIZER)
        );
        assert!(
            claim.owner_references().is_empty(),
            "a durable child has no owner"
        );

        let (kid, secret) = key_secret(&namespace, &claim).await?;
        assert_eq!(secret.immutable, Some(true));
        assert_eq!(secret.labels().get(labels::KID), Some(&kid));
        assert!(
            secret
                .finalizers()
                .iter()
                .any(|name| name == labels::KEY_FINALIZER)
        );
        assert!(
            secret.owner_references().is_empty(),
            "a durable child has no owner"
        );
        let status = engine
            .get()
            .await?
            .status
            .and_then(|status| status.encryption)
            .context("no encryption status")?;
        assert_eq!(status.active_key, kid);
        // From the first Ready on, an empty volume is a loss.
        let settings = namespace.api::<ConfigMap>().get("alice").await?;
        assert_eq!(
            settings
                .data
                .unwrap_or_default()
                .get("brain")
                .map(String::as_str),
            Some("existing")
        );
        Ok(())
    })
    .await
}

async fn key_secret(
    namespace: &Namespace,
    claim: &PersistentVolumeClaim,
) -> anyhow::Result<(String, Secret)> {
    let keys = claim
        .annotations()
        .get(labels::KEYS)
        .context("no keys recorded")?;
    let mut parts = keys.split(':');
    let kid = parts.next().unwrap_or_default().to_owned();
    let suffix = parts.nth(1).unwrap_or_default();
    let secret = namespace
        .api::<Secret>()
        .get(&format!("alice-key-{suffix}"))
        .await?;
    let bytes = secret
        .data
        .as_ref()
        .and_then(|data| data.get("key"))
        .context("no key")?;
    assert_eq!(
        EncryptionKey::parse(&bytes.0)?.kid().as_str(),
        kid,
        "the kid is not the key's"
    );
    Ok((kid, secret))
}

#[tokio::test]
async fn a_converged_engine_causes_no_writes() -> anyhow::Result<()> {
    in_namespace("quiet", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let settled = eventually("the versions to settle", 30, || async {
            let has_version = engine
                .get()
                .await?
                .status
                .and_then(|status| status.engine?.version)
                .is_some();
            let first = versions(&namespace).await?;
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            Ok((has_version && first == versions(&namespace).await?).then_some(first))
        })
        .await?;
        holds("nothing is written to a converged engine", 10, || async {
            Ok(versions(&namespace).await? == settled)
        })
        .await
    })
    .await
}

/// The resourceVersion of every object of the engine, the engine included.
async fn versions(namespace: &Namespace) -> anyhow::Result<BTreeMap<String, Option<String>>> {
    let mut all = BTreeMap::new();
    macro_rules! list {
        ($($kind:ty),*) => {$(
            for object in namespace.api::<$kind>().list(&ListParams::default()).await? {
                all.insert(format!("{}/{}", stringify!($kind), object.name_any()), object.resource_version());
            }
        )*};
    }
    list!(
        StatefulSet,
        ConfigMap,
        PersistentVolumeClaim,
        Pod,
        Secret,
        Service,
        ServiceAccount,
        NetworkPolicy
    );
    list!(userengine_api::UserEngine);
    Ok(all)
}

#[tokio::test]
async fn events_tell_the_story() -> anyhow::Result<()> {
    in_namespace("events", |namespace| async move {
        Engine::ready(&namespace, "alice", "alice").await?;
        eventually("an Event that says Ready", 20, || async {
            let events = namespace
                .api::<Event>()
                .list(&ListParams::default())
                .await?;
            Ok(events.into_iter().find(|event| {
                event.reason.as_deref() == Some("Ready")
                    && event
                        .regarding
                        .as_ref()
                        .and_then(|object| object.name.as_deref())
                        == Some("alice")
            }))
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_engine_answers_to_its_own_key_only() -> anyhow::Result<()> {
    let platform = Namespace::create("backend", &[(userengine_e2e::PLATFORM, "true")]).await?;
    let result = in_namespace("auth", |namespace| {
        let platform = platform.clone();
        async move {
            let alice = Engine::ready(&namespace, "alice", "alice").await?;
            let bob = Engine::ready(&namespace, "bob", "bob").await?;
            let backend = Probe::start(&platform, "backend").await?;
            let (alice_key, bob_key) = (alice.api_key().await?, bob.api_key().await?);
            assert_eq!(
                backend.get(&alice.url("/health"), None).await?.status(),
                Some(200)
            );
            let (own, other) = (alice.url("/openapi.json"), bob.url("/openapi.json"));
            assert_eq!(
                backend.get(&own, Some(&alice_key)).await?.status(),
                Some(200)
            );
            assert_eq!(
                backend.get(&other, Some(&bob_key)).await?.status(),
                Some(200)
            );
            let refused = backend.get(&other, Some(&alice_key)).await?;
            assert_eq!(refused.status(), Some(401));
            assert!(refused.body().contains("INVALID_KEY"), "{}", refused.body());
            assert_eq!(backend.get(&own, None).await?.status(), Some(401));
            Ok(())
        }
    })
    .await;
    platform.delete().await?;
    result
}
