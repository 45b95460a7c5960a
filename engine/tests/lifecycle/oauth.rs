//! A connection through OAuth, with the lines of the documentation as they are written there.

use serde_json::{Value, json};

use super::{Standalone, over_http};
use crate::support::eventually;
use crate::support::peers::Notes;

const LIST_SERVERS: &str = r#"
curl -fsS "$ENGINE_URL/assets/servers" \
  -H "X-Engine-Key: $KEY""#;
const CONNECT: &str = r#"
curl -X POST "$ENGINE_URL/assets/connect" \
  -H "X-Engine-Key: $KEY" \
  -H "Content-Type: application/json" \
  -d '{"server_name": "slack"}'"#;
const LIST_CONNECTIONS: &str = r#"
curl -fsS "$ENGINE_URL/assets/connections" \
  -H "X-Engine-Key: $KEY""#;
const DISCONNECT: &str = r#"
curl -X DELETE "$ENGINE_URL/assets/connections/conn-abc123" \
  -H "X-Engine-Key: $KEY""#;

/// What a browser does with the `auth_url`; this provider consents at once.
const BROWSER: &str = r#"curl -fsSL "$AUTH_URL""#;

/// An engine whose `slack` is the notes.
fn engine(notes: &Notes) -> Standalone {
    let entry = over_http("slack", "streamable_http", &notes.url, "oauth");
    Standalone::start(&[&notes.origin], &[entry])
}

impl Standalone {
    /// Connects as the person does, and gives the id.
    pub(super) fn consent(&self) -> String {
        let answer = self.shell.run(CONNECT).json();
        assert_eq!(answer["status"], "pending_oauth", "{answer}");
        self.visit(&answer["auth_url"]);
        answer["ref_id"].as_str().unwrap().to_owned()
    }

    fn visit(&self, auth_url: &Value) -> String {
        let browser = self
            .shell
            .clone()
            .with("AUTH_URL", auth_url.as_str().unwrap());
        browser.run(BROWSER).0
    }
}

#[test]
fn the_documented_lines_connect_use_and_disconnect_a_server() {
    let notes = Notes::start(3600);
    let engine = engine(&notes);

    let servers = engine.shell.run(LIST_SERVERS).json();
    let callback = format!("{}/assets/oauth/callback", engine.front.url());
    let expected = json!([{
        "server_name": "slack", "display_name": "slack", "transport": "streamable_http",
        "auth_method": "oauth", "status": "available", "callback_url": callback,
    }]);
    assert_eq!(servers, expected);

    let pending = engine.shell.run(CONNECT).json();
    let ref_id = pending["ref_id"].as_str().unwrap();
    assert!(ref_id.starts_with("conn-"), "{pending}");
    assert_eq!(pending["status"], "pending_oauth");
    let auth_url = pending["auth_url"].as_str().unwrap();
    assert!(
        auth_url.starts_with(&format!("{}/authorize?", notes.origin)),
        "{auth_url}"
    );
    let page = engine.visit(&pending["auth_url"]);
    assert!(
        page.contains("<html") || page.contains("<!DOCTYPE"),
        "{page}"
    );

    let connections = engine.shell.run(LIST_CONNECTIONS).json();
    let connection = &connections[0];
    assert_eq!(connections.as_array().unwrap().len(), 1, "{connections}");
    assert_eq!(connection["ref_id"], ref_id);
    assert_eq!(connection["server_name"], "slack");
    assert_eq!(connection["status"], "connected");
    assert_eq!(connection["scopes"], json!(["notes:read"]));
    assert!(
        connection["expires_at"].as_str().unwrap().starts_with("20"),
        "{connection}"
    );

    let tool = engine.tool("slack.read_notes");
    assert_eq!(tool["description"], "All notes, oldest first.");
    assert_eq!(tool["input_schema"]["type"], "object");
    let result = engine.call("slack.read_notes", &json!({}));
    assert_eq!(
        result["structuredContent"],
        json!({ "result": ["buy milk"] })
    );

    engine.shell.run(&DISCONNECT.replace("conn-abc123", ref_id));
    assert_eq!(engine.shell.run(LIST_CONNECTIONS).json(), json!([]));
    let (status, refused) = engine.try_call("slack.read_notes", &json!({}));
    assert_eq!(
        (status, &refused["error"]),
        (502, &json!("MCP_CONNECTION_FAILED")),
        "{refused}"
    );
    assert_eq!(refused["details"]["reason"], "not_connected");
    eventually("the provider revoked the tokens", || {
        notes.count("revoked") > 0
    });
}

#[test]
fn calls_go_on_while_short_tokens_are_refreshed() {
    let notes = Notes::start(10);
    let engine = engine(&notes);
    let ref_id = engine.consent();
    let last_refresh = || engine.connection(&ref_id)["last_refresh"].clone();
    assert_eq!(last_refresh(), Value::Null);
    eventually("two refreshes", || {
        engine.call("slack.read_notes", &json!({}));
        notes.count("refreshed") >= 2
    });
    assert!(last_refresh().is_string());
    engine.call("slack.read_notes", &json!({}));
    assert_eq!(notes.count("refused"), 0, "no refresh token was used twice");
    assert_eq!(engine.connection(&ref_id)["status"], "connected");
}

#[test]
fn a_consent_taken_back_at_the_provider_is_found_and_given_again() {
    let notes = Notes::start(3600);
    let engine = engine(&notes);
    let ref_id = engine.consent();
    engine.call("slack.read_notes", &json!({}));

    notes.forget();
    let (status, refused) = engine.try_call("slack.read_notes", &json!({}));
    assert_eq!(
        (status, &refused["error"]),
        (401, &json!("MCP_TOKEN_EXPIRED")),
        "{refused}"
    );
    assert_eq!(engine.connection(&ref_id)["status"], "expired");

    assert_eq!(engine.consent(), ref_id, "the same connection comes back");
    assert_eq!(engine.connection(&ref_id)["status"], "connected");
    engine.call("slack.read_notes", &json!({}));
}

#[test]
fn a_call_that_lacks_a_scope_says_where_to_grant_it() {
    let notes = Notes::start(3600);
    let engine = engine(&notes);
    let ref_id = engine.consent();
    let note = json!({ "text": "buy bread" });

    let (status, refused) = engine.try_call("slack.add_note", &note);
    assert_eq!(
        (status, &refused["error"]),
        (403, &json!("MCP_SCOPE_MISSING")),
        "{refused}"
    );
    assert_eq!(refused["details"]["missing_scopes"], json!(["notes:write"]));
    assert_eq!(
        engine.connection(&ref_id)["missing_scopes"],
        json!(["notes:write"])
    );

    engine.visit(&refused["details"]["auth_url"]);
    let connection = engine.connection(&ref_id);
    assert_eq!(
        connection["scopes"],
        json!(["notes:read", "notes:write"]),
        "the union was asked for"
    );
    let added = engine.call("slack.add_note", &note);
    assert_eq!(added["content"][0]["text"], "note 2");
}

#[test]
fn a_state_that_was_used_or_made_up_changes_nothing() {
    let notes = Notes::start(3600);
    let engine = engine(&notes);
    let pending = engine.shell.run(CONNECT).json();
    let ref_id = pending["ref_id"].as_str().unwrap();
    let browser = engine
        .shell
        .clone()
        .with("AUTH_URL", pending["auth_url"].as_str().unwrap());
    let callback = browser
        .run(r#"curl -fsS -o /dev/null -w '%{redirect_url}' "$AUTH_URL""#)
        .0;

    let again = engine.shell.clone().with("CALLBACK", &callback);
    let status = r#"curl -sS -o /dev/null -w '%{http_code}' "$CALLBACK""#;
    let (path, _) = callback.split_once('?').unwrap();
    let made_up = engine
        .shell
        .clone()
        .with("CALLBACK", &format!("{path}?code=x&state=made-up"));
    assert!(made_up.run(status).0.starts_with('4'));
    assert_eq!(engine.connection(ref_id)["status"], "pending_oauth");
    assert_eq!(again.run(status).0, "200");
    assert!(again.run(status).0.starts_with('4'), "a state works once");
    assert_eq!(engine.connection(ref_id)["status"], "connected");
    assert_eq!(notes.count("exchanged"), 1);
}
