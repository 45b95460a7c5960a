//! Whether an object is as we want it.
//!
//! Two things tell: the stamp, a hash of what we applied last, finds what we want no longer; the
//! comparison finds what somebody else changed. Fields that others added and we do not speak of are theirs.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use userengine_api::hex::hex;

/// The annotation with the stamp.
pub const STAMP: &str = "userengine.dev/applied";

/// Puts the hash of `object` into its annotations.
pub fn stamp(object: &mut Value) {
    let hash = Sha256::digest(object.to_string());
    let hash = hex(hash.iter().take(8));
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.insert("annotations".to_owned(), json!({ STAMP: hash }));
    }
}

/// Every field of `wanted` is in `live` with that value. Empty objects and lists count as absent,
/// which is how the API server stores them.
pub fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(name, value)| {
            live.get(name)
                .map_or_else(|| is_empty(value), |live| covers(live, value))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live
                    .iter()
                    .zip(wanted)
                    .all(|(live, wanted)| covers(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_what_others_added() {
        assert!(covers(&json!({"a": 1, "theirs": 2}), &json!({"a": 1})));
        assert!(covers(&json!({}), &json!({"selector": {}, "ports": []})));
    }

    #[test]
    fn sees_what_others_changed_removed_or_put_into_a_list() {
        for live in [
            json!({"a": [1, 3]}),
            json!({}),
            json!({"a": [1]}),
            json!({"a": [1, 2, 3]}),
            json!({"a": null}),
        ] {
            assert!(!covers(&live, &json!({"a": [1, 2]})), "{live}");
        }
    }

    #[test]
    fn the_stamp_changes_with_the_content_only() {
        let stamped = |content: u8| {
            let mut object = json!({"metadata": {"name": "x"}, "data": content});
            stamp(&mut object);
            object["metadata"]["annotations"][STAMP].clone()
        };
        assert_eq!(stamped(1), stamped(1));
        assert_ne!(stamped(1), stamped(2));
    }
}
