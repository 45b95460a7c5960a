//! The Secrets. Their content is random, so they are created once and never applied; the API key is changed on request.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use userengine_api::key::EncryptionKey;
use userengine_api::labels;
use userengine_api::layout::secret;

use super::{common_labels, owner};
use crate::user_engine::api_key::{Change, Keys, Record};
use crate::user_engine::assess::asked_of_api_key;
use crate::user_engine::observed::{NextKey, Observed, OurApiKey};

/// The Secret of an encryption key. Durable: no owner reference. Immutable
/// (<https://kubernetes.io/docs/concepts/configuration/secret/#secret-immutable>), so that a name means one key for ever.
pub fn key_secret(
    observed: &Observed,
    name: &str,
    database_id: &str,
    key: &EncryptionKey,
) -> Value {
    let mut all = common_labels(&observed.name());
    if let Value::Object(all) = &mut all {
        all.insert(labels::KID.to_owned(), json!(key.kid()));
    }
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": true,
        "metadata": {
            "name": name,
            "labels": all,
            "annotations": { labels::DATABASE_ID: database_id },
            "finalizers": [labels::KEY_FINALIZER],
        },
        "stringData": { secret::KEY: key.text().as_str() },
    })
}

/// The Secret of the API key: the key for the platform's backend, its hash for the pod. A rotation that is asked for by
/// then is satisfied.
pub fn api_key_secret(observed: &Observed, key: &str, hash: &str) -> Value {
    let name = observed.name();
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": observed.names().api_key(),
            "labels": common_labels(&name),
            "ownerReferences": [owner(&name, &observed.uid())],
        },
        "stringData": { secret::API_KEY: key, secret::API_KEY_HASHES: hash },
    });
    let record = Record::born(asked_of_api_key(observed).as_ref());
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata.filter(|_| !record.is_empty()) {
        let annotations = json!({ labels::API_KEY_ROTATION: record.text() });
        metadata.insert("annotations".to_owned(), annotations);
    }
    object
}

/// The patch that takes a rotation of the API key one step further, in the version of the Secret that was seen; `drawn` is
/// the key that it draws, if it draws one.
pub fn api_key_change(seen: &OurApiKey, change: &Change, drawn: Option<&NextKey>) -> Option<Value> {
    let (text, key, next) = match change.keys {
        Keys::Stay => (None, seen.key_hash.as_deref()?, None),
        Keys::Draw => {
            let text = (secret::NEXT_API_KEY, drawn?.key.as_str());
            (
                Some(text),
                seen.key_hash.as_deref()?,
                Some(drawn?.hash.as_str()),
            )
        }
        Keys::Swap => {
            let next = seen.next.as_ref()?;
            (
                Some((secret::API_KEY, next.key.as_str())),
                next.hash.as_str(),
                None,
            )
        }
    };
    let hashes = change.record.hashes(key, next).join(",");
    let texts: BTreeMap<_, _> = text
        .into_iter()
        .chain([(secret::API_KEY_HASHES, hashes.as_str())])
        .collect();
    // A key that is to come is there while the engine is told of it, and no longer.
    let data = match change.keys {
        Keys::Draw => json!({}),
        Keys::Stay | Keys::Swap => json!({ secret::NEXT_API_KEY: null }),
    };
    let annotations = json!({ labels::API_KEY_ROTATION: change.record.text() });
    Some(json!({
        "metadata": { "resourceVersion": seen.version, "annotations": annotations },
        "data": data,
        "stringData": texts,
    }))
}
