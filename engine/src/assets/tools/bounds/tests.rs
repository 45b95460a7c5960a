use serde_json::{Map, json};

use super::*;

#[test]
fn counts_the_schemas_that_apply() {
    let schema = json!({
        "type": "object",
        "properties": { "a": { "$ref": "#/$defs/x" }, "b": { "anyOf": [{ "$ref": "#/$defs/x" }, {}] } },
        "$defs": { "x": { "type": "string", "pattern": "^a" }, "unused": { "$ref": "#/$defs/x" } }
    });
    let expected = Bounds {
        steps: 7,
        recursive: false,
        patterns: true,
    };
    assert_eq!(bounds(&schema), Ok(expected));
}

#[test]
fn references_that_multiply_are_counted_and_not_followed() {
    let mut definitions = Map::new();
    for level in 0..30 {
        let next = json!({ "$ref": format!("#/$defs/l{}", level + 1) });
        definitions.insert(
            format!("l{level}"),
            json!({ "properties": { "a": next, "b": next } }),
        );
    }
    definitions.insert("l30".to_owned(), json!({}));
    let schema = json!({ "$ref": "#/$defs/l0", "$defs": definitions });
    assert!(bounds(&schema).unwrap().steps > 1 << 30);
}

#[test]
fn a_tree_is_recursive_and_a_circle_at_one_place_is_refused() {
    let tree = json!({ "properties": { "children": { "items": { "$ref": "#" } } } });
    assert!(bounds(&tree).unwrap().recursive);
    for circle in [
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#/$defs/a" }], "$defs": { "a": { "anyOf": [{ "$ref": "#" }] } } }),
        json!({ "properties": { "x": { "$ref": "#/$defs/a" } },
                "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "properties": { "y": { "$ref": "#/$defs/a" } },
                           "$ref": "#/$defs/a" } } }),
    ] {
        assert!(bounds(&circle).unwrap_err().contains("circle"), "{circle}");
    }
}

#[test]
fn long_chains_of_references_are_refused_or_cut_without_using_the_stack() {
    let chain = |link: fn(Value) -> Value| {
        let mut definitions = Map::new();
        for n in 0..5000 {
            let next = json!({ "$ref": format!("#/$defs/c{}", n + 1) });
            definitions.insert(format!("c{n}"), link(next));
        }
        definitions.insert("c5000".to_owned(), json!({}));
        json!({ "$ref": "#/$defs/c0", "$defs": definitions })
    };
    assert!(bounds(&chain(|next| next)).is_err());
    assert!(bounds(&chain(|next| json!({ "properties": { "a": next } }))).is_ok());
}

#[test]
fn only_references_within_the_schema_are_followed() {
    for reference in [
        "https://example.com/schema",
        "other.json",
        "file:///etc/passwd",
    ] {
        let why = bounds(&json!({ "$ref": reference })).unwrap_err();
        assert!(why.contains("another document"), "{reference}");
    }
    assert!(
        bounds(&json!({ "$ref": "#/$defs/nothing" }))
            .unwrap_err()
            .contains("nowhere")
    );
    let named = json!({ "$ref": "#n", "$defs": { "a%b": { "$anchor": "n", "$ref": "#/$defs/a~1b%25" }, "a/b%": {} } });
    assert!(bounds(&named).is_ok());
    assert!(bounds(&json!({ "properties": { "a": { "$id": "https://a.example/b" } } })).is_err());
    assert!(bounds(&json!({ "properties": { "id": { "default": { "$id": "a" } }, "type": { "enum": ["a"] } } })).is_ok());
}
