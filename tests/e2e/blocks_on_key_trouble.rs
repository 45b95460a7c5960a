//! Whatever happens to a key Secret: the engine is Blocked with a reason of its own, nothing is written, no key
//! is made, and restoring the Secret is all it takes.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;
use userengine_api::labels;
use userengine_api::status::Phase;
use userengine_e2e::trouble::{LOOK, is_told_once, says};
use userengine_e2e::{Brain, Engine, Namespace, eventually, in_namespace, inside};

/// The key Secret of `alice`.
pub async fn key_secret(namespace: &Namespace) -> anyhow::Result<Secret> {
    let all = namespace
        .api::<Secret>()
        .list(&ListParams::default())
        .await?;
    all.into_iter()
        .find(|secret| secret.name_any().starts_with("alice-key-"))
        .context("no key Secret")
}

/// Deletes the Secret for good, finalizer and all.
pub async fn destroy(namespace: &Namespace, name: &str) -> anyhow::Result<()> {
    let api = namespace.api::<Secret>();
    api.delete(name, &DeleteParams::default()).await?;
    eventually("the Secret to be gone", 20, || async {
        if api.get_opt(name).await?.is_none() {
            return Ok(Some(()));
        }
        let patch = json!({ "metadata": { "finalizers": null } });
        namespace.merge::<Secret>(name, patch).await?;
        Ok(None)
    })
    .await
}

/// The same Secret with other content; `None`: exactly as it was.
pub fn with_content(secret: &Secret, text: Option<&[u8]>) -> Secret {
    let mut copy = secret.clone();
    copy.metadata = kube::core::ObjectMeta {
        name: secret.metadata.name.clone(),
        labels: secret.metadata.labels.clone(),
        annotations: secret.metadata.annotations.clone(),
        ..Default::default()
    };
    if let (Some(text), Some(data)) = (text, &mut copy.data) {
        data.insert("key".to_owned(), k8s_openapi::ByteString(text.to_vec()));
    }
    copy
}

/// Wishes for the engine, and sees that it says what is wrong with its key, and that nothing comes of that wish.
async fn is_blocked(
    engine: &Engine,
    brain: &Brain,
    before: &str,
    (reason, key): (&str, &str),
) -> anyhow::Result<()> {
    engine.change(json!({ "suspended": false })).await?;
    // Secrets are not watched: what is wished leads to the look.
    let condition = says(engine, ("KeyAvailable", reason), || async { Ok(true) }).await?;
    assert!(condition.message.contains(key), "{}", condition.message);
    engine.wait_phase(Phase::Blocked).await?;
    assert!(
        engine.pod().await?.is_none(),
        "a pod was started for {reason}"
    );
    assert_eq!(
        brain.sum().await?,
        before,
        "the volume was touched for {reason}"
    );
    Ok(())
}

/// A look at the Secret comes within ten seconds, and then an engine starts.
async fn serves_again(engine: &Engine) -> anyhow::Result<()> {
    eventually("the engine to serve again", 30, || async {
        let phase = engine.get().await?.status.and_then(|status| status.phase);
        Ok((phase == Some(Phase::Ready)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_key_that_is_not_the_brains_blocks_the_engine_and_changes_nothing() -> anyhow::Result<()>
{
    in_namespace("keys", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let identity = inside(&engine).await?["database_id"].clone();
        engine.change(json!({ "suspended": true })).await?;
        engine.wait_phase(Phase::Suspended).await?;
        let brain = Brain::mount(&engine).await?;
        let before = brain.sum().await?;
        let good = key_secret(&namespace).await?;
        let name = good.name_any();
        let text = good
            .data
            .as_ref()
            .and_then(|data| data.get("key"))
            .context("no key")?
            .0
            .clone();
        let other = userengine_api::key::EncryptionKey::from_bytes([7; 32]).text();
        let newline = [text.as_slice(), b"\n"].concat();
        let cases: [(&str, Option<&[u8]>); 6] = [
            ("KeyMissing", None),
            ("KeyMalformed", Some(b"")),
            ("KeyMalformed", Some(text.get(..20).unwrap_or_default())),
            ("KeyMalformed", Some(&newline)),
            ("KeyMalformed", Some(text.get(..43).unwrap_or_default())),
            ("KeyForeign", Some(other.as_bytes())),
        ];
        let mut told = Vec::new();
        for (reason, content) in cases {
            destroy(&namespace, &name).await?;
            if let Some(content) = content {
                namespace
                    .api()
                    .create(&PostParams::default(), &with_content(&good, Some(content)))
                    .await?;
            }
            is_blocked(&engine, &brain, &before, (reason, &name)).await?;
            // One that follows itself need not be told again.
            if !told.contains(&reason) {
                is_told_once(&engine, reason, LOOK).await?;
                told.push(reason);
            }
            engine.change(json!({ "suspended": true })).await?;
            if content.is_none() {
                // The look that sees that key must have seen that wish as well.
                engine.wait_phase(Phase::Blocked).await?;
                namespace
                    .api()
                    .create(&PostParams::default(), &with_content(&good, None))
                    .await?;
            }
        }
        destroy(&namespace, &name).await?;
        is_blocked(&engine, &brain, &before, ("KeyMissing", &name)).await?;
        brain.unmount().await?;
        namespace
            .api()
            .create(&PostParams::default(), &with_content(&good, None))
            .await?;
        serves_again(&engine).await?;
        assert_eq!(inside(&engine).await?["database_id"], identity);
        // A restored Secret is held again.
        let held = key_secret(&namespace).await?;
        assert!(
            held.finalizers()
                .iter()
                .any(|name| name == labels::KEY_FINALIZER)
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_that_is_being_deleted_stays_and_is_reported() -> anyhow::Result<()> {
    in_namespace("keygoing", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        engine.wait_rest().await?;
        let name = key_secret(&namespace).await?.name_any();
        namespace
            .api::<Secret>()
            .delete(&name, &DeleteParams::default())
            .await?;
        // Secrets are not watched: a look at the engine is what finds it.
        engine.change(json!({ "deletionPolicy": "Delete" })).await?;
        let (kind, reason) = ("KeyAvailable", "KeyDeletionPending");
        says(&engine, (kind, reason), || async { Ok(true) }).await?;
        is_told_once(&engine, reason, LOOK).await?;
        let kept = namespace.api::<Secret>().get(&name).await?;
        assert!(kept.metadata.deletion_timestamp.is_some());
        assert!(
            inside(&engine).await.is_ok(),
            "the running engine was disturbed"
        );
        Ok(())
    })
    .await
}
