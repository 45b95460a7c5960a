//! The protocol against servers on loopback that answer what a test wants, and its parts alone.

mod arbitrary;
mod authorize;
mod challenge;
mod client;
mod discovery;
mod flow;
mod hostile;
mod pinned;
mod registration;
pub(super) mod server;
mod words;

use url::Url;

use super::*;
use crate::config::{ConnectorsConfig, Environment, HttpConfig};
use crate::domain::Scopes;
use crate::egress::Egress;

pub(super) fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

pub(super) fn config(variables: &[(&str, &str)]) -> ConnectorsConfig {
    let environment = Environment::of(variables);
    let http = HttpConfig::read(&environment).unwrap();
    ConnectorsConfig::read(&environment, &http).unwrap()
}

/// The engine's client, which may call these origins.
pub(super) fn egress(origins: &[&str]) -> Egress {
    Egress::new(&config(&[("EGRESS_ALLOW", &origins.join(","))])).unwrap()
}

/// A provider that was discovered at this origin.
pub(super) fn provider(origin: &str) -> Provider {
    Provider {
        issuer: origin.to_owned(),
        resource: format!("{origin}/mcp"),
        authorization_endpoint: url(&format!("{origin}/authorize")),
        token_endpoint: url(&format!("{origin}/token")),
        registration_endpoint: Some(url(&format!("{origin}/register"))),
        revocation_endpoint: Some(url(&format!("{origin}/revoke"))),
        client_id_metadata_documents: false,
        sends_iss: false,
        token_endpoint_auth_methods: vec!["none".to_owned()],
        scopes: Scopes::default(),
        known_scopes: Scopes::default(),
    }
}

pub(super) fn client(auth_method: &str, secret: Option<&str>) -> Client {
    Client {
        id: "an id:1".to_owned(),
        secret: secret.map(Into::into),
        auth_method: auth_method.to_owned(),
        expires_at: None,
    }
}

#[test]
fn the_callback_and_the_document_are_under_the_base_whatever_its_path() {
    for base in ["https://a.example.com/x", "https://a.example.com/x/"] {
        let config = config(&[("OAUTH_REDIRECT_BASE_URL", base)]);
        let callback = callback_url(&config);
        assert_eq!(
            callback.as_str(),
            "https://a.example.com/x/assets/oauth/callback"
        );
        let document = serde_json::to_value(client_metadata_document(&config.redirect_base));
        let document = document.unwrap();
        assert_eq!(document["client_id"], client_metadata_url(&config).as_str());
        assert_eq!(document["redirect_uris"][0], callback.as_str());
        assert_eq!(document["application_type"], "web");
    }
    let local = config(&[("LISTEN_ADDR", "127.0.0.1:8181")]);
    let callback = callback_url(&local);
    assert_eq!(
        callback.as_str(),
        "http://localhost:8181/assets/oauth/callback"
    );
}

#[test]
fn an_issuer_is_compared_letter_by_letter() {
    let mut provider = provider("https://idp.example.com");
    for (sends, iss, fits) in [
        (true, Some("https://idp.example.com"), true),
        (false, Some("https://idp.example.com"), true),
        (false, None, true),
        (true, None, false),
        (true, Some("https://idp.example.com/"), false),
        (false, Some("https://idp.example.com/"), false),
        (false, Some("https://IDP.example.com"), false),
        (true, Some("https://idp.example.com:443"), false),
        (false, Some("https://evil.example.com"), false),
        (false, Some(""), false),
    ] {
        provider.sends_iss = sends;
        let outcome = check_iss(&provider, iss);
        assert_eq!(outcome.is_ok(), fits, "{sends} {iss:?}");
        assert!(
            !format!("{outcome:?}").contains("evil"),
            "words of an answer that is not the provider's are not shown"
        );
    }
}
