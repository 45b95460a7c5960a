//! The Secrets. Their content is random, so they are created once and never applied.

use serde_json::{Value, json};
use userengine_api::key::EncryptionKey;
use userengine_api::labels;
use userengine_api::layout::secret;

use super::{common_labels, owner};
use crate::user_engine::observed::Observed;

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

/// The Secret of the API key: the key for the platform's backend, its hash for the pod.
pub fn api_key_secret(observed: &Observed, key: &str, hash: &str) -> Value {
    let name = observed.name();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": observed.names().api_key(),
            "labels": common_labels(&name),
            "ownerReferences": [owner(&name, &observed.uid())],
        },
        "stringData": { secret::API_KEY: key, secret::API_KEY_HASHES: hash },
    })
}
