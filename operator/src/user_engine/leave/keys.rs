//! What becomes of keys and brain when their engine goes for good.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource as _, ResourceExt};
use userengine_api::{UserEngine, labels};

use super::{Error, key_names, let_go};
use crate::cluster::Writer;
use crate::retained;
use crate::user_engine::Context;
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
        let found = key(context, engine, &name).await?;
        // In the version that was seen: a backup may put its hold on it at any time.
        if let Some(key) = found.filter(|key| !is_on_hold(key)) {
            writer
                .delete_seen::<Secret>("Secret", &name, key.uid(), key.resource_version())
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
        let Some(found) = key(context, engine, &name).await? else {
            continue;
        };
        let uid = found.uid();
        writer
            .delete::<Secret>("Secret", &name, uid.clone())
            .await?;
        let namespace = engine.namespace().unwrap_or_default();
        let keys = std::slice::from_ref(&name);
        retained::let_go(&context.client, writer, &namespace, keys, None).await?;
        let left = key(context, engine, &name).await?;
        if left.is_some_and(|left| left.uid() == uid) {
            return Err(Error::KeyHeld(name));
        }
        publish(&context.recorder, engine, &erased(&found)).await;
    }
    delete_claim(writer, claim).await?;
    let_go(context, writer, engine, claim).await
}

fn erased(key: &Secret) -> Event {
    let kid = key.labels().get(labels::KID).map_or("", String::as_str);
    let note = format!(
        "key {kid} in Secret '{}' is destroyed: what is sealed with it cannot be read again",
        key.name_any()
    );
    Event {
        secondary: Some(key.object_ref(&())),
        ..event_of("Erase", EventType::Normal, "KeyDestroyed", &note)
    }
}

fn is_on_hold(key: &Secret) -> bool {
    let mut names = key.annotations().keys();
    names.any(|name| name.starts_with(labels::HOLD_PREFIX))
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
    fn a_hold_is_any_annotation_under_its_prefix() {
        let with = |name: &str| {
            let object = json!({ "metadata": { "annotations": { name: "" } } });
            serde_json::from_value::<Secret>(object).unwrap()
        };
        assert!(is_on_hold(&with("hold.userengine.dev/nightly-7")));
        assert!(!is_on_hold(&with("userengine.dev/hold")));
    }
}
