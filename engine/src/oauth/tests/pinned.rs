//! An issuer that the catalog names.

use serde_json::json;

use super::discovery::{SERVER, found, metadata};
use super::server::{Reply, Server};
use super::*;
use crate::catalog::OauthSettings;

#[tokio::test]
async fn the_catalogs_issuer_is_used_where_the_server_names_none_and_must_be_named_where_it_names_some()
 {
    let server = Server::start(|origin| {
        let both = json!({
            "resource": origin,
            "authorization_servers": ["https://other.example.com", format!("{origin}/t"), origin],
        });
        vec![
            (
                "/.well-known/oauth-protected-resource/mcp",
                Reply::json(&both),
            ),
            (SERVER, Reply::json(&metadata(origin))),
            (
                "/.well-known/oauth-authorization-server/t",
                Reply::json(&metadata(&format!("{origin}/t"))),
            ),
        ]
    })
    .await;
    let pinned = |issuer: String| OauthSettings {
        issuer: Some(url(&issuer)),
        revocation_url: Some(url("https://r.example.com/")),
        ..OauthSettings::default()
    };
    for issuer in [server.origin.clone(), format!("{}/t", server.origin)] {
        let found = found(&server, &pinned(issuer.clone())).await.unwrap();
        assert_eq!(found.issuer, issuer);
        assert_eq!(found.resource, server.origin, "as the metadata spell it");
    }
    let error = found(&server, &pinned(format!("{}/elsewhere", server.origin))).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("oauth.issuer"), "{error}");

    let silent = Server::start(|origin| {
        let mut metadata = metadata(&format!("{origin}/t"));
        metadata
            .as_object_mut()
            .unwrap()
            .remove("revocation_endpoint");
        vec![(
            "/.well-known/oauth-authorization-server/t",
            Reply::json(&metadata),
        )]
    })
    .await;
    let found = found(&silent, &pinned(format!("{}/t", silent.origin)))
        .await
        .unwrap();
    assert_eq!(
        found.revocation_endpoint,
        Some(url("https://r.example.com/"))
    );
}
