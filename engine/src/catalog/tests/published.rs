//! The published JSON Schema.

use std::fs;

use serde_json::{Value, json};

use super::{Folder, NOTES, SLACK};
use crate::catalog::document;

#[test]
fn the_schema_takes_what_the_engine_takes() {
    let validator = jsonschema::validator_for(&document()).unwrap();
    let entry = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (slack, notes) = (entry(SLACK), entry(NOTES));
    for good in [
        slack.clone(),
        json!([slack, notes]),
        json!([]),
        json!({ "$schema": "x", "servers": [slack] }),
    ] {
        assert!(validator.is_valid(&good), "{good}");
    }
    for bad in [
        json!(7),
        json!({}),
        json!([7]),
        json!({ "servers": [{}] }),
        json!({ "servers": [], "more": 1 }),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::meta::is_valid(&document()));
}

#[test]
fn the_examples_are_good() {
    let validator = jsonschema::validator_for(&document()).unwrap();
    let folder = Folder::new();
    let mut count = 0;
    for found in fs::read_dir("../examples/catalog").unwrap() {
        let path = found.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&serde_json::from_str(&text).unwrap())
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        folder.write(path.file_name().unwrap().to_str().unwrap(), text);
        count += 1;
    }
    assert!(count >= 4);
    assert_eq!(folder.problems(), Vec::<String>::new());
}
