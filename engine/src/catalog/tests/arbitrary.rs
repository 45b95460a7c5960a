//! Whatever stands in the files: nothing panics, every message fits a line of a log, and a bad catalog changes nothing.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Folder, NOTES, SLACK};
use crate::arbitrary::{cases, json, near};

const GOOD: [&str; 5] = [
    SLACK,
    NOTES,
    r#"[{"name": "a", "transport": "stdio", "command": {"program": "x", "args": ["y"], "env": {"A": "b"}}, "auth_method": "static", "static": {"env": "T"}}]"#,
    r#"{"$schema": "x", "servers": [{"name": "b", "display_name": "B", "transport": "sse", "url": "https://b.example/sse", "auth_method": "static", "static": {"header": "X-Key", "prefix": "k "}}]}"#,
    r#"{"name": "c", "transport": "streamable_http", "url": "https://c.example/mcp", "auth_method": "oauth", "trust_annotations": true,
        "oauth": {"client_id": "i", "client_secret_file": "s/k", "scopes": ["r", "w"], "issuer": "https://i.example", "revocation_url": "https://i.example/revoke"},
        "tools": {"send": {"class": "write", "open_world": true, "idempotent": false, "description": "d"}}}"#,
];

const NAMES: [&str; 27] = [
    "servers",
    "$schema",
    "name",
    "display_name",
    "transport",
    "url",
    "command",
    "program",
    "args",
    "env",
    "auth_method",
    "static",
    "header",
    "prefix",
    "oauth",
    "client_id",
    "client_secret_file",
    "scopes",
    "issuer",
    "revocation_url",
    "trust_annotations",
    "tools",
    "send",
    "class",
    "open_world",
    "idempotent",
    "description",
];

const TEXTS: [&str; 16] = [
    "",
    "a",
    "slack",
    "streamable_http",
    "sse",
    "stdio",
    "oauth",
    "static",
    "none",
    "read",
    "write",
    "https://a.example/mcp",
    "http://a.example",
    "s/k",
    "../k",
    "X-Key",
];

/// One reading makes the validator once, so each case is a folder of many files.
const FILES: usize = 40;

fn check(files: &[Vec<u8>]) {
    let folder = Folder::with(&[("good.json", SLACK)]);
    let catalog = folder.load();
    let before = catalog.current();
    for (index, content) in files.iter().enumerate() {
        folder.write(&format!("{index}.json"), content);
    }
    let outcome = catalog.reload();
    for problem in outcome
        .as_ref()
        .err()
        .into_iter()
        .flat_map(|error| &error.0)
    {
        assert!(
            problem.len() <= 600 && !problem.contains(char::is_control),
            "{problem:?}"
        );
    }
    match outcome {
        Err(error) => {
            assert!((1..=101).contains(&error.0.len()));
            assert!(Arc::ptr_eq(&before, &catalog.current()), "{error}");
        }
        Ok(changed) => assert_eq!(changed.is_empty(), Arc::ptr_eq(&before, &catalog.current())),
    }
    // A start takes what is good and never more.
    let started = folder.load();
    assert!(
        started
            .current()
            .servers
            .values()
            .all(|entry| !entry.display_name.is_empty())
    );
}

proptest! {
    #![proptest_config(cases(25))]

    #[test]
    fn any_bytes_are_read_or_named(files in prop::collection::vec(near(&GOOD), 1..FILES)) {
        check(&files);
    }

    #[test]
    fn any_json_is_read_or_named(files in prop::collection::vec(json(&NAMES, &TEXTS), 1..FILES)) {
        let texts: Vec<Vec<u8>> = files.iter().map(|value| value.to_string().into_bytes()).collect();
        check(&texts);
    }

    /// Each alone, so that a good one among bad ones is seen to be taken.
    #[test]
    fn what_the_schema_refuses_is_refused(value in json(&NAMES, &TEXTS)) {
        let folder = Folder::with(&[("a.json", &value.to_string())]);
        let validator = jsonschema::validator_for(&crate::catalog::document()).unwrap();
        prop_assert!(validator.is_valid(&value) || !folder.problems().is_empty(), "{value}");
    }
}
