//! Secrets that entries name, and secrets where none belong.

use std::fs;
use std::os::unix::fs::symlink;

use secrecy::ExposeSecret;

use super::Folder;
use crate::catalog::LiveCatalog;
use crate::config::ConnectorsConfig;

const CANARY: &str = "canary-4f1d";

const ENTRY: &str = r#"{"name": "a", "transport": "sse", "url": "https://a.example", "auth_method": "oauth",
    "oauth": {"client_id": "c", "client_secret_file": "slack-oauth/client-secret", "issuer": "https://i.example"}}"#;

/// Why the one server of a folder is unavailable.
fn reason(config: &ConnectorsConfig) -> String {
    let catalog = LiveCatalog::load(config);
    assert_eq!(
        catalog.reload(),
        Ok(Vec::new()),
        "a missing secret is no mistake of the catalog"
    );
    let servers = &catalog.current().servers;
    servers
        .values()
        .next()
        .unwrap()
        .unavailable
        .clone()
        .unwrap_or_default()
}

#[test]
fn a_secret_that_cannot_be_used_makes_its_server_unavailable() {
    let folder = Folder::with(&[("a.json", ENTRY)]);
    let mut reasons = vec![("missing", reason(&folder.config()))];
    for (what, content) in [
        ("empty", "\n"),
        ("two lines", "a\nb"),
        ("NUL", "a\0"),
        ("large", &"a".repeat(9000)),
    ] {
        folder.secret("slack-oauth", "client-secret", content);
        reasons.push((what, reason(&folder.config())));
    }
    let file = folder.secrets.path().join("slack-oauth/client-secret");
    fs::write(&file, b"\xff").unwrap();
    reasons.push(("not text", reason(&folder.config())));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    reasons.push(("a folder", reason(&folder.config())));
    fs::remove_dir(&file).unwrap();
    symlink("client-secret", &file).unwrap();
    reasons.push(("a loop", reason(&folder.config())));
    let nowhere = ConnectorsConfig {
        secrets: None,
        ..folder.config()
    };
    reasons.push(("no folder of secrets", reason(&nowhere)));
    let shown: Vec<String> = reasons
        .iter()
        .map(|(what, reason)| format!("{what}: {reason}"))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_mounted_secret_is_read_through_its_links() {
    let folder = Folder::with(&[("a.json", ENTRY)]);
    folder.secret("slack-oauth/..2026", "client-secret", CANARY);
    symlink("..2026", folder.secrets.path().join("slack-oauth/..data")).unwrap();
    symlink(
        "..data/client-secret",
        folder.secrets.path().join("slack-oauth/client-secret"),
    )
    .unwrap();
    let catalog = folder.load();
    let servers = &catalog.current().servers;
    let entry = servers.values().next().unwrap();
    assert_eq!(
        entry.oauth.client_secret.as_ref().unwrap().expose_secret(),
        CANARY
    );
    assert!(!format!("{catalog:?} {entry:?}").contains(CANARY));
}

/// People paste secrets into the wrong field. Wherever it stands, no message repeats it.
#[test]
fn no_message_repeats_a_value() {
    let fields = [
        r#""display_name": "@\n""#,
        r#""transport": "@""#,
        r#""url": "@""#,
        r#""url": "https://@:@@a.example/#@""#,
        r#""url": "ftp://a.example/@""#,
        r#""url": "https://a.example/\\@""#,
        r#""command": "@""#,
        r#""command": {"program": ["@"], "args": "@", "env": {"A": ["@"]}}"#,
        r#""auth_method": "@""#,
        r#""static": "@""#,
        r#""static": {"header": "@ @", "prefix": "@\n", "env": "@-@"}"#,
        r#""oauth": "@""#,
        r#""oauth": {"client_id": ["@"], "client_secret_file": "@", "scopes": "@", "issuer": "@", "revocation_url": "@"}"#,
        r#""oauth": {"client_secret": "@", "client_secret_file": "@/@/@", "scopes": ["@ @"]}"#,
        r#""oauth": {"client_secret": "@", "client_secret": "@"}"#,
        r#""trust_annotations": "@""#,
        r#""tools": {"send": {"class": "@", "open_world": "@", "description": ["@"]}}"#,
        r#""unknown": "@""#,
        r#""url": "@"#,
        r#""url": "@"@"#,
        r#""url": @"#,
    ];
    for field in fields {
        let text = format!(r#"{{"name": "a", {field}}}"#).replace('@', CANARY);
        let problems = Folder::with(&[("a.json", &text)]).problems();
        assert!(!problems.is_empty(), "{field} was taken");
        assert!(
            !problems.join("\n").contains(CANARY),
            "{field}: {problems:?}"
        );
    }
}
