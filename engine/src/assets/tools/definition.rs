//! A tool as its server defines it, checked.

use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::arguments::Arguments;
use crate::mcp::ToolDefinition;

/// A definition that can be offered.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) tool: ToolDefinition,
    /// SHA-256 of the canonical JSON, in hex.
    pub(super) digest: String,
    pub(super) arguments: Arc<Arguments>,
}

impl Definition {
    /// Checks a definition, or says why it cannot be offered.
    pub(super) fn new(tool: ToolDefinition, digest: String) -> Result<Self, String> {
        let arguments = Arc::new(Arguments::new(&tool.input_schema)?);
        Ok(Self {
            tool,
            digest,
            arguments,
        })
    }
}

/// SHA-256 of a definition's canonical JSON (RFC 8785), in hex: the same for the same meaning, whatever the order of its
/// keys.
pub(super) fn digest(tool: &ToolDefinition) -> Result<String, String> {
    let canonical = serde_json_canonicalizer::to_vec(tool)
        .map_err(|_| "its definition has no canonical form (RFC 8785)".to_owned())?;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(&canonical) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(json: serde_json::Value) -> ToolDefinition {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_digest_is_of_the_meaning_and_not_of_the_order() {
        let of = |json| digest(&tool(json)).unwrap();
        let one = of(
            json!({ "name": "a", "input_schema": { "type": "object", "properties": { "x": {}, "y": {} } } }),
        );
        let other: ToolDefinition = serde_json::from_str(
            r#"{"input_schema":{"properties":{"y":{},"x":{}},"type":"object"},"name":"a"}"#,
        )
        .unwrap();
        assert_eq!(one, digest(&other).unwrap());
        assert_eq!(one.len(), 64);
        for changed in [
            json!({ "name": "b", "input_schema": { "type": "object", "properties": { "x": {}, "y": {} } } }),
            json!({ "name": "a", "input_schema": { "type": "object", "properties": { "x": {} } } }),
            json!({ "name": "a", "description": "d", "input_schema": { "type": "object", "properties": { "x": {}, "y": {} } } }),
            json!({ "name": "a", "annotations": {}, "input_schema": { "type": "object", "properties": { "x": {}, "y": {} } } }),
        ] {
            assert_ne!(of(changed), one);
        }
    }
}
