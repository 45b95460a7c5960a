//! Metadata that somebody wrote to do harm.

use serde_json::{Value, json};

use super::discovery::{SERVER, found, metadata};
use super::server::{Reply, Server};
use super::*;
use crate::catalog::OauthSettings;
use crate::egress::FetchError;

/// What becomes of metadata that are changed like this.
async fn outcome(change: impl FnOnce(&mut Value, &str)) -> Result<Provider, OauthError> {
    let server = Server::start(|origin| {
        let mut metadata = metadata(origin);
        change(&mut metadata, origin);
        vec![(SERVER, Reply::json(&metadata))]
    })
    .await;
    found(&server, &OauthSettings::default()).await
}

async fn refused(member: &str, value: Value) -> String {
    let outcome = outcome(|metadata, _| metadata[member] = value.clone()).await;
    match outcome {
        Err(OauthError::Unusable(why)) => why,
        other => panic!("{member} = {value}: {other:?}"),
    }
}

#[tokio::test]
async fn another_issuer_is_refused() {
    for issuer in [
        json!("https://evil.example.com"),
        json!("http://127.0.0.1:1"),
        json!(null),
        json!(7),
        json!(["http://127.0.0.1"]),
        json!(""),
    ] {
        assert!(refused("issuer", issuer).await.contains("another issuer"));
    }
    let slash = outcome(|metadata, origin| metadata["issuer"] = json!(format!("{origin}/x"))).await;
    assert!(matches!(slash, Err(OauthError::Unusable(_))));
}

#[tokio::test]
async fn a_server_without_s256_is_refused() {
    for methods in [
        json!(null),
        json!([]),
        json!(["plain"]),
        json!("S256"),
        json!(["s256"]),
    ] {
        let why = refused("code_challenge_methods_supported", methods).await;
        assert!(why.contains("S256"), "{why}");
    }
}

#[tokio::test]
async fn an_endpoint_that_a_browser_must_not_open_is_refused() {
    let long = format!("https://a.example.com/{}", "x".repeat(2048));
    for endpoint in [
        json!("javascript:alert(1)//https://a.example.com"),
        json!("data:text/html,x"),
        json!("file:///etc/passwd"),
        json!("http://idp.example.com/authorize"),
        json!("http://169.254.169.254/authorize"),
        json!("https://user@idp.example.com/"),
        json!("https://:pass@idp.example.com/"),
        json!("https://idp.example.com/#fragment"),
        json!("/authorize"),
        json!(""),
        json!(null),
        json!(1),
        json!(long),
    ] {
        let why = refused("authorization_endpoint", endpoint).await;
        assert!(why.contains("authorization_endpoint"), "{why}");
        assert!(!why.contains("passwd") && !why.contains("alert"), "{why}");
    }
    for (endpoint, fits) in [
        ("https://idp.example.com/authorize?a=b", true),
        ("http://localhost:1/authorize", true),
        ("http://[::1]:1/authorize", true),
    ] {
        let outcome =
            outcome(|metadata, _| metadata["authorization_endpoint"] = json!(endpoint)).await;
        assert_eq!(outcome.is_ok(), fits, "{endpoint}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_of_the_web_is_refused() {
    for member in [
        "token_endpoint",
        "registration_endpoint",
        "revocation_endpoint",
    ] {
        let why = refused(member, json!("gopher://a.example.com/")).await;
        assert!(why.contains(member), "{why}");
    }
    assert!(
        refused("token_endpoint", json!(null))
            .await
            .contains("token_endpoint")
    );
}

#[tokio::test]
async fn an_endpoint_on_the_platforms_own_network_is_never_called() {
    let outcome =
        outcome(|metadata, _| metadata["token_endpoint"] = json!("https://10.0.0.1/token")).await;
    let provider = outcome.unwrap();
    let http = egress(&["http://127.0.0.1:1"]);
    let error = refresh(&http, &provider, &client("none", None), &"canary".into()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, OauthError::Fetch(FetchError::Forbidden { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn huge_and_deep_documents_end_the_discovery() {
    let huge = outcome(|metadata, _| metadata["x"] = json!("x".repeat(256 * 1024))).await;
    assert!(
        matches!(huge, Err(OauthError::Fetch(FetchError::TooLarge { .. }))),
        "{huge:?}"
    );
    let server = Server::start(|_| {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        vec![(SERVER, Reply(200, vec![], deep))]
    })
    .await;
    let deep = found(&server, &OauthSettings::default()).await;
    assert!(matches!(deep, Err(OauthError::Unusable(_))), "{deep:?}");
}

#[tokio::test]
async fn scopes_without_end_are_not_asked_for() {
    let many: Vec<String> = (0..200).map(|number| format!("s{number}")).collect();
    let long = vec!["x".repeat(5_000)];
    for scopes in [many, long] {
        let server = Server::start(|origin| {
            let resource = json!({
                "resource": origin, "authorization_servers": [origin], "scopes_supported": scopes,
            });
            vec![
                (
                    "/.well-known/oauth-protected-resource",
                    Reply::json(&resource),
                ),
                (SERVER, Reply::json(&metadata(origin))),
            ]
        })
        .await;
        let found = found(&server, &OauthSettings::default()).await.unwrap();
        assert!(found.scopes.is_empty());
    }
}

#[tokio::test]
async fn a_redirect_of_metadata_into_the_platforms_own_network_is_not_followed() {
    let to = (
        "location",
        "http://169.254.169.254/latest/meta-data".to_owned(),
    );
    let server = Server::start(|_| {
        vec![(
            "/.well-known/oauth-protected-resource/mcp",
            Reply(302, vec![to], String::new()),
        )]
    })
    .await;
    let error = found(&server, &OauthSettings::default()).await.unwrap_err();
    assert!(matches!(error, OauthError::Unusable(_)), "{error:?}");
    assert_eq!(
        server.lines().len(),
        4,
        "as if nothing were published there"
    );
}

#[tokio::test]
async fn metadata_of_another_resource_are_refused_and_nothing_else_is_tried() {
    let server = Server::start(|origin| {
        let resource = json!({ "resource": "https://evil.example.com/mcp", "authorization_servers": [origin] });
        vec![
            ("/.well-known/oauth-protected-resource/mcp", Reply::json(&resource)),
            (SERVER, Reply::json(&metadata(origin))),
        ]
    })
    .await;
    let error = found(&server, &OauthSettings::default()).await.unwrap_err();
    assert!(error.to_string().contains("another resource"), "{error}");
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_no_url_of_the_web_is_refused() {
    for issuer in [
        "javascript:x",
        "https://a.example.com?x",
        "https://u@a.example.com",
        "x",
        "https://a.example.com/#",
    ] {
        let server = Server::start(|origin| {
            let resource = json!({ "resource": origin, "authorization_servers": [issuer] });
            vec![(
                "/.well-known/oauth-protected-resource",
                Reply::json(&resource),
            )]
        })
        .await;
        let error = found(&server, &OauthSettings::default()).await.unwrap_err();
        assert!(error.to_string().contains("no URL of the web"), "{error}");
    }
}
