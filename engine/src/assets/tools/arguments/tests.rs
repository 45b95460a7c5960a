use proptest::prelude::*;
use serde_json::json;

use super::*;

fn arguments(schema: &Value) -> Arc<Arguments> {
    Arc::new(Arguments::new(schema).unwrap())
}

async fn problem(schema: Value, given: Value) -> Option<(String, String)> {
    match arguments(&schema).check(&given).await {
        Ok(()) => None,
        Err(AssetError::InvalidArguments { path, problem }) => Some((path, problem)),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn names_the_place_and_what_is_asked_for_and_not_what_was_given() {
    let schema = json!({
        "type": "object",
        "properties": { "to": { "type": "array", "items": { "type": "string" } }, "a/b": { "enum": ["x"] } },
        "required": ["to"],
        "additionalProperties": false
    });
    let cases = [
        (json!({}), "", "\"to\" is a required property"),
        (
            json!({ "to": ["a", 17] }),
            "/to/1",
            "value is not of type \"string\"",
        ),
        (
            json!({ "to": [], "a/b": "secret" }),
            "/a~1b",
            "value is not one of \"x\"",
        ),
    ];
    for (given, path, words) in cases {
        assert_eq!(
            problem(schema.clone(), given).await,
            Some((path.to_owned(), words.to_owned()))
        );
    }
    let unknown = problem(schema.clone(), json!({ "to": [], "more": 1 }))
        .await
        .unwrap();
    assert_eq!(unknown.0, "");
    assert_eq!(problem(schema, json!({ "to": ["a"] })).await, None);
}

#[tokio::test]
async fn a_schema_without_a_dialect_is_read_as_2020_12_and_older_ones_as_they_say() {
    let tuple = |dialect: &str, keyword: &str| json!({ "$schema": dialect, "properties": { "a": { keyword: [{ "type": "string" }] } } });
    let wrong = json!({ "a": [1] });
    let checked = [
        (
            "https://json-schema.org/draft/2020-12/schema",
            "prefixItems",
        ),
        ("https://example.com/unknown", "prefixItems"),
        ("http://json-schema.org/draft-07/schema#", "items"),
    ];
    for (dialect, keyword) in checked {
        assert!(
            problem(tuple(dialect, keyword), wrong.clone())
                .await
                .is_some(),
            "{dialect}"
        );
    }
}

#[test]
fn what_is_no_schema_is_refused_with_a_reason() {
    for (schema, word) in [
        (json!({ "type": "nonsense" }), "/type"),
        (
            json!({ "properties": { "a": { "pattern": "(" } } }),
            "pattern",
        ),
        (
            json!({ "properties": { "a": { "pattern": "((a{1000}){1000}){1000}" } } }),
            "pattern",
        ),
        (
            json!({ "$ref": "https://example.com/schema" }),
            "another document",
        ),
        (json!({ "$ref": "#" }), "circle"),
        (json!({ "required": "a" }), "/required"),
    ] {
        let why = Arguments::new(&schema).unwrap_err();
        assert!(why.contains(word) && why.len() < 400, "{schema}: {why}");
    }
}

#[tokio::test]
async fn a_pattern_that_goes_back_and_forth_for_ever_ends_as_invalid() {
    let schema = json!({ "properties": { "a": { "type": "string", "pattern": "^(a|a)*\\1b" } } });
    let given = json!({ "a": format!("{}!", "a".repeat(60)) });
    let (path, words) = problem(schema, given).await.unwrap();
    assert_eq!(path, "/a");
    assert!(words.contains("backtracking"), "{words}");
}

#[tokio::test]
async fn a_schema_that_multiplies_with_depth_costs_no_more_than_patience() {
    // Each level is checked twice, so 40 levels would be a million millions.
    let schema = json!({
        "anyOf": [
            { "properties": { "a": { "$ref": "#" } }, "required": ["x"] },
            { "properties": { "a": { "$ref": "#" } }, "required": ["y"] }
        ]
    });
    let mut given = json!({});
    for _ in 0..40 {
        given = json!({ "a": given });
    }
    let arguments = arguments(&schema);
    assert_eq!(arguments.effort(&Size::of(&given)), Effort::TooMuch);
    assert!(arguments.check(&given).await.is_ok());
}

#[tokio::test]
async fn large_arguments_are_checked_beside() {
    let schema = json!({ "properties": { "rows": { "items": { "properties": { "n": { "type": "integer" } } } } } });
    let mut rows = vec![json!({ "n": 1 }); 20_000];
    let arguments = arguments(&schema);
    let good = json!({ "rows": rows });
    assert_eq!(arguments.effort(&Size::of(&good)), Effort::Beside);
    assert!(arguments.check(&good).await.is_ok());
    rows.push(json!({ "n": "one" }));
    assert!(arguments.check(&json!({ "rows": rows })).await.is_err());
}

#[tokio::test]
async fn arguments_of_any_depth_that_json_allows_do_not_exhaust_the_stack() {
    let schema = json!({ "additionalProperties": { "$ref": "#/$defs/a" },
        "$defs": { "a": { "anyOf": [{ "allOf": [{ "not": { "not": { "additionalProperties": { "$ref": "#/$defs/a" } } } }] }] } } });
    let arguments = arguments(&schema);
    for depth in [60, 120] {
        let mut given = json!({});
        for _ in 0..depth {
            given = json!({ "a": given });
        }
        assert!(arguments.check(&given).await.is_ok());
    }
}

/// Something like a schema, with every keyword anywhere.
fn schema() -> impl Strategy<Value = Value> {
    const KEYWORDS: [&str; 30] = [
        "type",
        "properties",
        "items",
        "$ref",
        "$defs",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "$id",
        "$anchor",
        "$dynamicRef",
        "$dynamicAnchor",
        "$recursiveRef",
        "$schema",
        "pattern",
        "patternProperties",
        "enum",
        "const",
        "required",
        "additionalProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "prefixItems",
        "contains",
        "propertyNames",
        "dependentSchemas",
        "multipleOf",
    ];
    const TEXTS: [&str; 14] = [
        "#",
        "#/$defs/a",
        "#/properties/a",
        "#a",
        "",
        "object",
        "string",
        "(",
        "^(a+)+$",
        "https://a.example/b",
        "urn:x",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "a%zz",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let name = prop_oneof![
            6 => prop::sample::select(&KEYWORDS[..]).prop_map(str::to_owned),
            1 => Just("a".to_owned()),
        ];
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::vec((name, inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_schema_and_no_arguments_make_the_check_panic(schema in schema(), given in schema()) {
        if let Ok(arguments) = Arguments::new(&schema) {
            let _ = arguments.check_now(&given);
        }
    }
}
