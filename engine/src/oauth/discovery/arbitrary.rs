//! Whatever metadata say.

use proptest::prelude::*;

use super::document::Document;
use super::server::Issuer;
use super::{resource, server};
use crate::arbitrary::{cases, json, near};
use crate::oauth::tests::url;

const SERVERS: [&str; 1] = [
    r#"{"issuer": "https://i.example", "authorization_endpoint": "https://i.example/authorize",
    "token_endpoint": "https://i.example/token", "registration_endpoint": "https://i.example/register",
    "revocation_endpoint": "https://i.example/revoke", "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": ["none"], "scopes_supported": ["a", "b"],
    "client_id_metadata_document_supported": true, "authorization_response_iss_parameter_supported": true}"#,
];

const RESOURCES: [&str; 1] = [
    r#"{"resource": "https://a.example/mcp", "authorization_servers": ["https://i.example"], "scopes_supported": ["a"]}"#,
];

const NAMES: [&str; 12] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "registration_endpoint",
    "revocation_endpoint",
    "code_challenge_methods_supported",
    "token_endpoint_auth_methods_supported",
    "scopes_supported",
    "resource",
    "authorization_servers",
    "client_id_metadata_document_supported",
    "authorization_response_iss_parameter_supported",
];

const TEXTS: [&str; 11] = [
    "",
    "S256",
    "none",
    "https://i.example",
    "https://i.example/x",
    "http://i.example",
    "https://u:p@i.example",
    "javascript:alert(1)",
    "https://a.example/mcp",
    "https://a.example",
    "a b",
];

/// Near a good document, or JSON of known names.
fn body(seeds: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let any = json(&NAMES, &TEXTS).prop_map(|value| value.to_string().into_bytes());
    prop_oneof![3 => near(seeds), 1 => any]
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn any_metadata_of_a_server_are_its_own_or_refused(body in body(&SERVERS)) {
        let issuer = Issuer::named("https://i.example").unwrap();
        let Some(document) = Document::parse(&body) else { return Ok(()) };
        if let Ok(said) = server::read(&document, &issuer) {
            prop_assert_eq!(said.issuer, "https://i.example");
            let endpoints = [Some(said.authorization_endpoint), Some(said.token_endpoint), said.registration_endpoint, said.revocation_endpoint];
            for endpoint in endpoints.into_iter().flatten() {
                prop_assert!(matches!(endpoint.scheme(), "https" | "http") && endpoint.host().is_some(), "{}", endpoint);
                prop_assert!(endpoint.username().is_empty() && endpoint.password().is_none() && endpoint.fragment().is_none(), "{}", endpoint);
            }
        }
    }

    #[test]
    fn any_metadata_of_a_resource_speak_of_it_or_are_refused(body in body(&RESOURCES)) {
        let asked = url("https://a.example/mcp");
        let Some(document) = Document::parse(&body) else { return Ok(()) };
        if let Ok(resource) = resource::read(&document, &asked) {
            prop_assert_eq!(url(&resource.identifier).origin(), asked.origin());
        }
    }
}
