use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::*;
use crate::catalog::OauthSettings;

pub(super) const RESOURCE: &str = "/.well-known/oauth-protected-resource";
pub(super) const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// Complete metadata of an authorization server.
pub(super) fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "code_challenge_methods_supported": ["plain", "S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
        "client_id_metadata_document_supported": true,
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": ["read", "write", "offline_access"],
    })
}

fn resource(origin: &str, issuer: &str) -> Value {
    json!({
        "resource": format!("{origin}/mcp"),
        "authorization_servers": [issuer],
        "scopes_supported": ["read"],
    })
}

pub(super) async fn found(
    server: &Server,
    settings: &OauthSettings,
) -> Result<Provider, OauthError> {
    let http = egress(&[&server.origin]);
    discover(
        &http,
        &url(&format!("{}/mcp", server.origin)),
        None,
        settings,
    )
    .await
}

fn gets(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| format!("GET {path}")).collect()
}

#[tokio::test]
async fn all_that_is_published_is_taken_over() {
    let server = Server::start(|origin| {
        vec![
            (
                "/.well-known/oauth-protected-resource/mcp",
                Reply::json(&resource(origin, origin)),
            ),
            (SERVER, Reply::json(&metadata(origin))),
        ]
    })
    .await;
    let origin = server.origin.clone();
    let expected = Provider {
        client_id_metadata_documents: true,
        sends_iss: true,
        token_endpoint_auth_methods: vec!["none".to_owned(), "client_secret_post".to_owned()],
        scopes: Scopes::parse("read offline_access"),
        known_scopes: Scopes::parse("read write offline_access"),
        ..provider(&origin)
    };
    let found = found(&server, &OauthSettings::default()).await.unwrap();
    assert_eq!(found, expected);
    assert_eq!(server.lines(), gets(&[&format!("{RESOURCE}/mcp"), SERVER]));
    let kept = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Provider>(&kept).unwrap(), found);
}

#[tokio::test]
async fn a_server_that_publishes_nothing_is_asked_in_order_and_nothing_is_guessed() {
    let server = Server::start(|_| vec![]).await;
    let error = found(&server, &OauthSettings::default()).await.unwrap_err();
    assert!(error.to_string().contains("not guessed"), "{error}");
    let places = [&format!("{RESOURCE}/mcp"), RESOURCE, SERVER, OPENID];
    assert_eq!(server.lines(), gets(&places));
}

#[tokio::test]
async fn the_place_that_the_challenge_names_comes_first() {
    let server = Server::start(|origin| {
        vec![
            (
                "/custom.json",
                Reply::json(&resource(origin, &format!("{origin}/t"))),
            ),
            (
                "/t/.well-known/openid-configuration",
                Reply::json(&metadata(&format!("{origin}/t"))),
            ),
        ]
    })
    .await;
    let challenge = Challenge {
        resource_metadata: Some(url(&format!("{}/custom.json", server.origin))),
        scope: Some(Scopes::parse("special")),
        error: None,
    };
    let mcp = url(&format!("{}/mcp", server.origin));
    let settings = OauthSettings::default();
    let http = egress(&[&server.origin]);
    let found = discover(&http, &mcp, Some(&challenge), &settings)
        .await
        .unwrap();
    assert_eq!(found.issuer, format!("{}/t", server.origin));
    assert_eq!(found.scopes, Scopes::parse("special offline_access"));
    let (inserted, openid) = (format!("{SERVER}/t"), format!("{OPENID}/t"));
    let appended = format!("/t{OPENID}");
    assert_eq!(
        server.lines(),
        gets(&["/custom.json", &inserted, &openid, &appended])
    );
}

#[tokio::test]
async fn a_server_of_the_first_revision_is_its_own_authorization_server() {
    let server = Server::start(|origin| vec![(SERVER, Reply::json(&metadata(origin)))]).await;
    let found = found(&server, &OauthSettings::default()).await.unwrap();
    assert_eq!(found.issuer, server.origin);
    assert_eq!(found.resource, format!("{}/mcp", server.origin));
    assert!(
        found.scopes.is_empty(),
        "offline_access alone is not asked for"
    );
}

#[tokio::test]
async fn pages_in_the_place_of_metadata_are_passed_over() {
    let server = Server::start(|origin| {
        vec![
            ("/.well-known/oauth-protected-resource/mcp", Reply::page()),
            (RESOURCE, Reply(200, vec![], "[1]".to_owned())),
            (SERVER, Reply(401, vec![], "{}".to_owned())),
            (OPENID, Reply::json(&metadata(origin))),
        ]
    })
    .await;
    assert!(found(&server, &OauthSettings::default()).await.is_ok());
}

#[tokio::test]
async fn a_server_in_trouble_is_not_passed_over() {
    let date = "Sat, 21 Nov 2026 10:00:00 GMT".to_owned();
    let until = "Sat, 21 Nov 2026 10:02:05 GMT".to_owned();
    for (reply, expected) in [
        (Reply::status(500), (500, None)),
        (
            Reply(503, vec![("retry-after", "7".to_owned())], String::new()),
            (503, Some(7)),
        ),
        (
            Reply(429, vec![("retry-after", "-7".to_owned())], String::new()),
            (429, Some(0)),
        ),
        (
            Reply(429, vec![("retry-after", "soon".to_owned())], String::new()),
            (429, None),
        ),
        (
            Reply(
                429,
                vec![("retry-after", "9999999".to_owned())],
                String::new(),
            ),
            (429, Some(86_400)),
        ),
        (
            Reply(
                502,
                vec![("date", date.clone()), ("retry-after", until)],
                String::new(),
            ),
            (502, Some(125)),
        ),
    ] {
        let server =
            Server::start(|_| vec![("/.well-known/oauth-protected-resource/mcp", reply)]).await;
        let error = found(&server, &OauthSettings::default()).await.unwrap_err();
        let (status, retry_after) = expected;
        assert_eq!(
            error,
            OauthError::Unwell {
                status,
                retry_after
            }
        );
        assert_eq!(
            server.lines().len(),
            1,
            "an older way of discovery is not tried"
        );
    }
}
