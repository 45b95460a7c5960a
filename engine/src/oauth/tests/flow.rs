//! Requests to the token and revocation endpoints as they leave the engine.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::server::{Asked, Reply, Server};
use super::*;

const CALLBACK: &str = "https://relay.example.com/assets/oauth/callback";

async fn token_server() -> Server {
    let tokens = json!({ "access_token": "at", "token_type": "Bearer", "refresh_token": "rt" });
    Server::start(|_| {
        vec![
            ("/token", Reply::json(&tokens)),
            ("/revoke", Reply::status(200)),
        ]
    })
    .await
}

fn fields(asked: &Asked) -> Vec<String> {
    asked
        .form()
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

#[tokio::test]
async fn codes_and_refresh_tokens_are_sent_with_their_resource() {
    let server = token_server().await;
    let (http, provider) = (egress(&[&server.origin]), provider(&server.origin));
    let (code, verifier) = (
        SecretString::from("a/code+"),
        SecretString::from("verifier"),
    );
    let public = client("none", None);
    let tokens = exchange(&http, &provider, &public, &url(CALLBACK), &code, &verifier)
        .await
        .unwrap();
    assert_eq!(tokens.access_token.expose_secret(), "at");
    let old = SecretString::from("old=rt");
    refresh(&http, &provider, &public, &old).await.unwrap();
    let asked = server.asked();
    let resource = format!("resource={}/mcp", server.origin);
    assert_eq!(
        fields(&asked[0]),
        [
            "client_id=an id:1",
            "code=a/code+",
            "code_verifier=verifier",
            "grant_type=authorization_code",
            &format!("redirect_uri={CALLBACK}"),
            &resource,
        ]
    );
    assert_eq!(
        fields(&asked[1]),
        [
            "client_id=an id:1",
            "grant_type=refresh_token",
            "refresh_token=old=rt",
            &resource
        ]
    );
    for asked in asked {
        assert_eq!(
            asked.headers["content-type"],
            "application/x-www-form-urlencoded"
        );
        assert_eq!(asked.headers["accept"], "application/json");
        assert!(!asked.headers.contains_key(AUTHORIZATION));
    }
}

#[tokio::test]
async fn a_client_proves_itself_as_it_was_registered() {
    let server = token_server().await;
    let (http, provider) = (egress(&[&server.origin]), provider(&server.origin));
    let token = SecretString::from("rt");
    for (method, secret) in [
        ("client_secret_basic", Some("a secret:%/+é")),
        ("client_secret_post", Some("a secret:%/+é")),
        ("client_secret_basic", None),
    ] {
        let client = client(method, secret);
        refresh(&http, &provider, &client, &token).await.unwrap();
    }
    let asked = server.asked();
    // Each half is encoded as in a form before they are joined (RFC 6749 section 2.3.1).
    let basic = BASE64_STANDARD.encode("an%20id%3A1:a%20secret%3A%25%2F%2B%C3%A9");
    assert_eq!(asked[0].headers[AUTHORIZATION], format!("Basic {basic}"));
    assert!(!asked[0].form().contains_key("client_secret"));
    assert_eq!(asked[0].form()["client_id"], "an id:1");
    assert_eq!(asked[1].form()["client_secret"], "a secret:%/+é");
    assert_eq!(asked[1].form()["client_id"], "an id:1");
    assert_eq!(asked[2].form()["client_id"], "an id:1");
    assert!(!asked[2].headers.contains_key(AUTHORIZATION));

    let unknown = client("private_key_jwt", Some("x"));
    let error = refresh(&http, &provider, &unknown, &token)
        .await
        .unwrap_err();
    assert!(matches!(error, OauthError::Unusable(_)), "{error:?}");
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn a_token_is_revoked_and_one_that_is_unknown_is_revoked_already() {
    let token = SecretString::from("canary-token-0123456789");
    for (reply, fits) in [
        (Reply::status(200), true),
        (Reply(200, vec![], "OK".to_owned()), true),
        (Reply(400, vec![], json!({ "error": "invalid_token" }).to_string()), true),
        (Reply::json(&json!({ "ok": false, "error": "token_revoked" })), true),
        (Reply(400, vec![], json!({ "error": "unsupported_token_type", "error_description": "canary-token-0123456789" }).to_string()), false),
        (Reply::json(&json!({ "ok": false, "error": "not_allowed" })), false),
        (Reply::status(404), false),
        (Reply::status(401), false),
        (Reply::status(503), false),
        (Reply(302, vec![("location", "/elsewhere".to_owned())], String::new()), false),
    ] {
        let server = Server::start(|_| vec![("/revoke", reply)]).await;
        let http = egress(&[&server.origin]);
        let endpoint = url(&format!("{}/revoke", server.origin));
        let outcome = revoke(&http, &endpoint, &client("none", None), &token, "refresh_token").await;
        assert_eq!(outcome.is_ok(), fits, "{outcome:?}");
        assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
        let form = server.asked()[0].form();
        assert_eq!(form["token"], "canary-token-0123456789");
        assert_eq!(form["token_type_hint"], "refresh_token");
        assert_eq!(server.lines().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_misses_a_field_gets_it_empty() {
    let refusal =
        json!({ "error": "invalid_request", "error_description": "client_secret: Field required" });
    let server =
        Server::start(|_| vec![("/revoke", Reply(400, vec![], refusal.to_string()))]).await;
    let http = egress(&[&server.origin]);
    let endpoint = url(&format!("{}/revoke", server.origin));
    let token = SecretString::from("rt");
    for (method, tries) in [
        ("none", 2),
        ("client_secret_basic", 2),
        ("client_secret_post", 1),
    ] {
        let before = server.lines().len();
        let client = client(method, Some("secret"));
        let outcome = revoke(&http, &endpoint, &client, &token, "refresh_token").await;
        assert!(
            matches!(outcome, Err(OauthError::Refused { .. })),
            "{outcome:?}"
        );
        let asked = server.asked().split_off(before);
        assert_eq!(asked.len(), tries, "{method}");
        let last = asked.last().unwrap();
        let expected = if tries == 2 { "" } else { "secret" };
        assert_eq!(last.form()["client_secret"], expected);
        let proved = last.headers.contains_key(AUTHORIZATION);
        assert_eq!(proved, method == "client_secret_basic");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let huge = json!({ "access_token": "x".repeat(64 * 1024) });
    let server = Server::start(|_| vec![("/token", Reply::json(&huge))]).await;
    let http = egress(&[&server.origin]);
    let token = SecretString::from("rt");
    let error = refresh(
        &http,
        &provider(&server.origin),
        &client("none", None),
        &token,
    )
    .await;
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            OauthError::Fetch(crate::egress::FetchError::TooLarge { .. })
        ),
        "{error:?}"
    );
}
