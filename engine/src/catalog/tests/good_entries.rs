//! Entries that are taken.

use secrecy::ExposeSecret;

use super::{Folder, NOTES, SLACK, names};
use crate::catalog::{Endpoint, Entry};
use crate::domain::{AuthMethod, Scopes, ToolClass};

fn entry(text: &str) -> std::sync::Arc<Entry> {
    let folder = Folder::with(&[("a.json", text)]);
    folder.secret("slack-oauth", "client-secret", "hush\n");
    assert_eq!(folder.problems(), Vec::<String>::new());
    folder
        .load()
        .current()
        .servers
        .values()
        .next()
        .unwrap()
        .clone()
}

#[test]
fn a_file_holds_one_entry_an_array_or_servers() {
    let folder = Folder::with(&[
        ("one.json", SLACK),
        ("array.json", &format!("[{NOTES}]")),
        (
            "servers.json",
            &format!(
                r#"{{"$schema": "x", "servers": [{}]}}"#,
                NOTES.replace("notes", "more-notes")
            ),
        ),
        ("none.json", "[]"),
    ]);
    assert_eq!(folder.problems(), Vec::<String>::new());
    assert_eq!(names(&folder.load()), ["more-notes", "notes", "slack"]);
}

#[test]
fn every_field_arrives() {
    let entry = entry(
        r#"{
            "$schema": "catalog.schema.json", "name": "slack", "display_name": "Slack é", "transport": "streamable_http",
            "url": "https://slack.example.com/mcp?team=1", "auth_method": "oauth", "trust_annotations": true,
            "oauth": {
                "client_id": "id", "client_secret_file": "slack-oauth/client-secret", "scopes": ["b", "a", "b"],
                "issuer": "https://login.example.com/tenant", "revocation_url": "http://plain.example.com:8080/revoke"
            },
            "tools": {
                "send": {"class": "write", "open_world": true, "idempotent": false, "description": "Sends."},
                "list.all": {"class": "read"}
            }
        }"#,
    );
    assert_eq!(
        (entry.name.as_str(), entry.display_name.as_str()),
        ("slack", "Slack é")
    );
    assert_eq!(
        entry.endpoint.url().unwrap().as_str(),
        "https://slack.example.com/mcp?team=1"
    );
    assert!(entry.trust_annotations && entry.unavailable.is_none());
    let oauth = &entry.oauth;
    assert_eq!(oauth.client_id.as_deref(), Some("id"));
    assert_eq!(
        oauth.client_secret.as_ref().unwrap().expose_secret(),
        "hush",
        "without the newline at the end"
    );
    assert_eq!(oauth.scopes, Scopes::parse("a b"));
    assert_eq!(
        oauth.issuer.as_ref().unwrap().as_str(),
        "https://login.example.com/tenant"
    );
    assert_eq!(
        oauth.revocation_url.as_ref().unwrap().as_str(),
        "http://plain.example.com:8080/revoke"
    );
    let send = &entry.tools["send"];
    assert_eq!(
        (send.class, send.open_world, send.idempotent),
        (Some(ToolClass::Write), Some(true), Some(false))
    );
    assert_eq!(send.description.as_deref(), Some("Sends."));
    assert_eq!(entry.tools["list.all"].class, Some(ToolClass::Read));
}

#[test]
fn what_is_left_out_has_its_default() {
    let entry = entry(NOTES);
    assert_eq!(entry.display_name, "notes");
    assert!(!entry.trust_annotations && entry.tools.is_empty() && entry.oauth.scopes.is_empty());
}

#[test]
fn a_credential_goes_where_the_entry_says() {
    let entry = entry(
        r#"{"name": "a", "transport": "sse", "url": "https://a.example", "auth_method": "static", "static": {"header": "X-Api-Key", "prefix": ""}}"#,
    );
    assert_eq!(entry.auth_method, AuthMethod::Static);
    assert_eq!(
        (
            entry.r#static.header.as_deref(),
            entry.r#static.prefix.as_deref()
        ),
        (Some("X-Api-Key"), Some(""))
    );
}

#[test]
fn a_program_is_written_in_either_form() {
    let list = entry(
        r#"{"name": "a", "transport": "stdio", "command": ["/bin/x", "-y", "a b"], "auth_method": "none"}"#,
    );
    let parts = entry(
        r#"{"name": "a", "transport": "stdio", "command": {"program": "/bin/x", "args": ["-y", "a b"]}, "auth_method": "none"}"#,
    );
    assert_eq!(list.endpoint, parts.endpoint);
    let with_env = entry(
        r#"{"name": "a", "transport": "stdio", "command": {"program": "x", "env": {"PATH": "/bin"}}, "auth_method": "static", "static": {"env": "TOKEN"}}"#,
    );
    let Endpoint::Stdio { program, args, env } = &with_env.endpoint else {
        panic!("not a program")
    };
    assert_eq!(
        (program.as_str(), args.len(), env["PATH"].as_str()),
        ("x", 0, "/bin")
    );
    assert_eq!(with_env.r#static.env.as_deref(), Some("TOKEN"));
}

#[test]
fn plain_http_goes_where_it_is_open() {
    for url in [
        "http://plain.example.com:8080/mcp",
        "http://PLAIN.example.com:8080",
        "http://[::1]:9000/sse",
    ] {
        let text = NOTES.replace("https://notes.example.com/mcp", url);
        assert_eq!(
            Folder::with(&[("a.json", &text)]).problems(),
            Vec::<String>::new(),
            "{url}"
        );
    }
}

#[test]
fn on_kubernetes_a_program_is_listed_and_unavailable() {
    let text = r#"{"name": "a", "transport": "stdio", "command": ["x"], "auth_method": "none"}"#;
    let folder = Folder::with(&[("a.json", text)]);
    let on_kubernetes = folder.config_with(&[("ENGINE_NAME", "team.alice")]);
    let catalog = crate::catalog::LiveCatalog::load(&on_kubernetes).current();
    let reason = catalog.servers.values().next().unwrap().unavailable.clone();
    insta::assert_snapshot!(reason.unwrap(), @"on Kubernetes an engine starts no children: offer the server over HTTP");
    assert_eq!(entry(text).unavailable, None);
}
