//! What becomes of keys and brain when their engine goes for good.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource as _, ResourceExt};
use userengine_api::{UserEngine, labels};

use super::{Error, key_names, let_go};
use crate::cluster::Writer;
use crate::retained;
use crate::user_engine::Context;
use crate::user_engine::observe::{is_held, is_on_hold};
use crate::user_engine::report::{event_of, publish};

/// Keys first, the claim last: it is the record by which a crash in between finds the keys again. A key that a backup
/// holds stays, without our finalizer.
pub async fn destroy(
    context: &Context,
    writer: &Writer,
    engine: &UserEngine,
    claim: Option<&PersistentVolumeClaim>,
) -> Result<(), Error> {
    for name in key_names(engine, claim) {
        let Some(found) = marked(context, writer, engine, &name).await? else {
            continue;
        };
        // In the version that was seen: a backup may put its hold on it at any time.
        if !is_on_hold(&found) && !is_going(&found) {
            writer
                .delete_seen::<Secret>("Secret", &name, found.uid(), found.resource_version())
                .await?;
        }
    }
    delete_claim(writer, claim).await?;
    let_go(context, writer, engine, claim).await
}

/// As [`destroy`], whoever holds the keys, and the brain goes only once they are gone.
pub async fn erase(
    context: &Context,
    writer: &Writer,
    engine: &UserEngine,
    claim: Option<&PersistentVolumeClaim>,
) -> Result<(), Error> {
    for name in key_names(engine, claim) {
        let Some(found) = marked(context, writer, engine, &name).await? else {
            continue;
        };
        let uid = found.uid();
        if !is_going(&found) {
            writer
                .delete::<Secret>("Secret", &name, uid.clone())
                .await?;
        }
        // There is no way back now, and whoever dies here finds it again by its finalizer. After that nobody would tell.
        if is_held(&found) {
            publish(&context.recorder, engine, &erased(&found)).await;
        }
        let namespace = engine.namespace().unwrap_or_default();
        let keys = std::slice::from_ref(&name);
        retained::let_go(&context.client, writer, &namespace, keys, None).await?;
        let left = key(context, engine, &name).await?;
        if left.is_some_and(|left| left.uid() == uid) {
            return Err(Error::KeyHeld(name));
        }
    }
    delete_claim(writer, claim).await?;
    let_go(context, writer, engine, claim).await
}

/// A key's Secret, if it is there. One that somebody made by hand and that nothing marks as a key is marked first: cluster policy lets
/// the operator delete no other.
async fn marked(
    context: &Context,
    writer: &Writer,
    engine: &UserEngine,
    name: &str,
) -> Result<Option<Secret>, Error> {
    let found = key(context, engine, name).await?;
    let Some(bare) = found.as_ref().filter(|found| !is_marked(found)) else {
        return Ok(found);
    };
    let version = bare.metadata.resource_version.as_deref();
    writer
        .add_finalizer::<Secret>("Secret", name, version, labels::KEY_FINALIZER)
        .await?;
    key(context, engine, name).await
}

/// It is about to go anyway, or bears something of ours.
fn is_marked(key: &Secret) -> bool {
    is_going(key)
        || is_held(key)
        || key.labels().contains_key(labels::ENGINE)
        || key.annotations().contains_key(labels::DATABASE_ID)
}

fn is_going(key: &Secret) -> bool {
    key.metadata.deletion_timestamp.is_some()
}

fn erased(key: &Secret) -> Event {
    let kid = key.labels().get(labels::KID);
    let kid = kid.map_or("the key".to_owned(), |kid| format!("key {kid}"));
    let note = format!(
        "{kid} in Secret '{}' is destroyed: what is sealed with it cannot be read again",
        key.name_any()
    );
    Event {
        secondary: Some(key.object_ref(&())),
        ..event_of("Erase", EventType::Normal, "KeyDestroyed", &note)
    }
}

/// A key's Secret, if it is there.
pub async fn key(
    context: &Context,
    engine: &UserEngine,
    name: &str,
) -> Result<Option<Secret>, Error> {
    let namespace = engine.namespace().unwrap_or_default();
    let api = Api::namespaced(context.client.clone(), &namespace);
    api.get_opt(name).await.map_err(|source| Error::Read {
        what: "a key Secret",
        source,
    })
}

async fn delete_claim(writer: &Writer, claim: Option<&PersistentVolumeClaim>) -> Result<(), Error> {
    let Some(claim) = claim else { return Ok(()) };
    let (kind, name) = ("PersistentVolumeClaim", claim.name_any());
    Ok(writer
        .delete::<PersistentVolumeClaim>(kind, &name, claim.uid())
        .await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_bears_a_mark_that_cluster_policy_knows() {
        let with = |metadata: serde_json::Value| {
            let object = json!({ "metadata": metadata });
            is_marked(&serde_json::from_value::<Secret>(object).unwrap())
        };
        assert!(!with(json!({ "name": "alice-key-0000000000" })));
        assert!(with(json!({ "labels": { labels::ENGINE: "alice" } })));
        assert!(with(
            json!({ "annotations": { labels::DATABASE_ID: "db" } })
        ));
        assert!(with(json!({ "finalizers": [labels::KEY_FINALIZER] })));
        // Nothing can be put on it any more, and it goes without us.
        assert!(with(json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" })));
    }

    #[test]
    fn a_hold_is_any_annotation_under_its_prefix() {
        let with = |name: &str| {
            let object = json!({ "metadata": { "annotations": { name: "" } } });
            serde_json::from_value::<Secret>(object).unwrap()
        };
        assert!(is_on_hold(&with("hold.userengine.dev/nightly-7")));
        assert!(!is_on_hold(&with("userengine.dev/hold")));
    }
}
