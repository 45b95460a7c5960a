//! The published JSON Schema.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::written::Written;

/// The JSON Schema of a catalog file: an entry, an array of entries, or an object with an array `servers`.
pub fn document() -> Value {
    let entry = json!({ "$ref": "#/$defs/Entry" });
    let entries = json!({ "type": "array", "items": entry, "maxItems": super::MOST_ENTRIES });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A file of the catalog of MCP servers",
        "if": { "type": "array" },
        "then": entries,
        "else": {
            "if": { "type": "object", "required": ["servers"] },
            "then": {
                "properties": { "$schema": { "type": "string" }, "servers": entries },
                "additionalProperties": false,
            },
            "else": entry,
        },
        "$defs": { "Entry": entry_schema() },
    })
}

/// The JSON Schema of one entry, without references, so that a place in it can be looked up.
pub(super) fn entry_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut generator = settings
        .with_transform(RecursiveTransform(without_null))
        .into_generator();
    let mut schema = Written::json_schema(&mut generator);
    RecursiveTransform(without_null).transform(&mut schema);
    schema.to_value()
}

/// A field that is not meant is left out of a file, so no field may be null.
fn without_null(schema: &mut Schema) {
    let null = Value::from("null");
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| *name != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = object.get_mut("anyOf") {
        options.retain(|option| option.get("type") != Some(&null));
        if let [Value::Object(only)] = options.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
}
