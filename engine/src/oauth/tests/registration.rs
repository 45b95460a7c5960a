use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::*;
use crate::oauth::registration::taken;

const CALLBACK: &str = "https://relay.example.com/assets/oauth/callback";

fn read(answer: &Value, asked: &str) -> Result<Client, OauthError> {
    taken(answer.as_object().unwrap(), &url(CALLBACK), asked)
}

#[tokio::test]
async fn the_engine_says_who_it_is() {
    let answer = json!({ "client_id": "dyn-1", "client_id_issued_at": 1 });
    let server =
        Server::start(|_| vec![("/register", Reply(201, vec![], answer.to_string()))]).await;
    let mut provider = provider(&server.origin);
    provider.scopes = Scopes::parse("write read");
    provider.known_scopes = Scopes::parse("read admin");
    let http = egress(&[&server.origin]);
    let client = register(&http, &provider, &url(CALLBACK)).await.unwrap();
    assert_eq!(
        (client.id.as_str(), client.auth_method.as_str()),
        ("dyn-1", "none")
    );
    (provider.scopes, provider.known_scopes) = Default::default();
    let local = url("http://localhost:8080/assets/oauth/callback");
    register(&http, &provider, &local).await.unwrap();

    let bodies: Vec<Value> = server
        .asked()
        .iter()
        .map(|asked| serde_json::from_str(&asked.body).unwrap())
        .collect();
    insta::assert_json_snapshot!(bodies);
}

#[tokio::test]
async fn a_refused_registration_says_why() {
    let refusal = json!({ "error": "invalid_redirect_uri", "error_description": "only\nhttps" });
    let server =
        Server::start(|_| vec![("/register", Reply(400, vec![], refusal.to_string()))]).await;
    let http = egress(&[&server.origin]);
    let outcome = register(&http, &provider(&server.origin), &url(CALLBACK)).await;
    let error = outcome.unwrap_err().to_string();
    assert_eq!(
        error,
        "the provider refused: invalid_redirect_uri: only https"
    );
}

#[tokio::test]
async fn a_server_that_refuses_scopes_is_asked_without_them() {
    let refusal = json!({ "error": "invalid_client_metadata" });
    let server =
        Server::start(|_| vec![("/register", Reply(400, vec![], refusal.to_string()))]).await;
    let mut provider = provider(&server.origin);
    provider.scopes = Scopes::parse("read");
    let http = egress(&[&server.origin]);
    let outcome = register(&http, &provider, &url(CALLBACK)).await;
    assert!(matches!(outcome, Err(OauthError::Refused { .. })));
    let with_scope: Vec<bool> = server
        .asked()
        .iter()
        .map(|asked| asked.body.contains("\"scope\""))
        .collect();
    assert_eq!(with_scope, [true, false]);
}

#[test]
fn a_way_to_authenticate_is_chosen_that_both_know() {
    let mut provider = provider("https://idp.example.com");
    for (methods, expected) in [
        (&["client_secret_post", "none"][..], Some("none")),
        (
            &["client_secret_post", "client_secret_basic"],
            Some("client_secret_basic"),
        ),
        (
            &["private_key_jwt", "client_secret_post"],
            Some("client_secret_post"),
        ),
        // RFC 8414 section 2: without a list it is this one.
        (&[], Some("client_secret_basic")),
        (&["private_key_jwt"], None),
    ] {
        provider.token_endpoint_auth_methods = methods.iter().map(|it| (*it).to_owned()).collect();
        let method = crate::oauth::client::method_to_register(&provider);
        assert_eq!(method.ok(), expected, "{methods:?}");
    }
}

#[test]
fn the_server_may_change_what_was_asked_for() {
    for (answer, asked, method, secret) in [
        (json!({ "client_id": "c" }), "none", "none", None),
        (
            json!({ "client_id": "c", "client_secret": "s" }),
            "none",
            "none",
            None,
        ),
        (
            json!({ "client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_post" }),
            "none",
            "client_secret_post",
            Some("s"),
        ),
        (
            json!({ "client_id": "c", "client_secret": "s" }),
            "client_secret_basic",
            "client_secret_basic",
            Some("s"),
        ),
        (
            json!({ "client_id": "c", "client_secret": "", "token_endpoint_auth_method": "none" }),
            "client_secret_basic",
            "none",
            None,
        ),
    ] {
        let client = read(&answer, asked).unwrap();
        let found = client.secret.as_ref().map(ExposeSecret::expose_secret);
        assert_eq!(
            (client.auth_method.as_str(), found),
            (method, secret),
            "{answer}"
        );
    }
}

#[test]
fn the_end_of_a_registration_is_taken() {
    for (end, expected) in [
        (json!(0), None),
        (json!("0"), None),
        (json!(-5), None),
        (json!(1_800_000_000), Some("2027-01-15T08:00:00Z")),
        (json!("1800000000"), Some("2027-01-15T08:00:00Z")),
        (json!(1.5e300), None),
        (json!("soon"), None),
    ] {
        let client = read(
            &json!({ "client_id": "c", "client_secret_expires_at": end }),
            "none",
        );
        let found = client.unwrap().expires_at.map(|end| end.to_string());
        assert_eq!(found.as_deref(), expected, "{end}");
    }
}

#[test]
fn a_registration_that_cannot_be_used_is_none() {
    let long = "c".repeat(2049);
    for answer in [
        json!({}),
        json!({ "client_id": "" }),
        json!({ "client_id": 7 }),
        json!({ "client_id": "a\nb" }),
        json!({ "client_id": long }),
        json!({ "client_id": "c", "redirect_uris": ["https://other.example.com/cb"] }),
        json!({ "client_id": "c", "token_endpoint_auth_method": "client_secret_basic" }),
        json!({ "client_id": "c", "token_endpoint_auth_method": "private_key_jwt" }),
    ] {
        assert!(
            matches!(read(&answer, "none"), Err(OauthError::Malformed(_))),
            "{answer}"
        );
    }
}

#[test]
fn a_secret_is_not_printed() {
    let client = read(
        &json!({ "client_id": "c", "client_secret": "canary" }),
        "client_secret_post",
    );
    assert!(!format!("{client:?}").contains("canary"));
}
