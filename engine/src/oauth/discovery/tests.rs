//! The decisions of discovery, without a network.

use serde_json::json;
use url::Url;

use super::document::Document;
use super::resource::{self, identifier_of};
use super::scopes::{Known, choose};
use super::well_known::{of_issuer, of_resource};
use crate::domain::Scopes;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn texts(urls: &[Url]) -> Vec<&str> {
    urls.iter().map(Url::as_str).collect()
}

#[test]
fn a_resource_is_looked_for_below_its_path_and_at_the_root() {
    for (server, expected) in [
        (
            "https://a",
            &["https://a/.well-known/oauth-protected-resource"][..],
        ),
        (
            "https://a/",
            &["https://a/.well-known/oauth-protected-resource"],
        ),
        (
            "https://a:8443/x/mcp/",
            &[
                "https://a:8443/.well-known/oauth-protected-resource/x/mcp",
                "https://a:8443/.well-known/oauth-protected-resource",
            ],
        ),
        (
            "https://a/mcp?tenant=1#f",
            &[
                "https://a/.well-known/oauth-protected-resource/mcp?tenant=1",
                "https://a/.well-known/oauth-protected-resource",
            ],
        ),
    ] {
        assert_eq!(texts(&of_resource(&url(server))), expected);
    }
}

#[test]
fn an_issuer_is_looked_for_in_the_order_of_the_specification() {
    for (issuer, expected) in [
        (
            "https://a",
            &[
                "https://a/.well-known/oauth-authorization-server",
                "https://a/.well-known/openid-configuration",
            ][..],
        ),
        (
            "https://a/t/u/",
            &[
                "https://a/.well-known/oauth-authorization-server/t/u",
                "https://a/.well-known/openid-configuration/t/u",
                "https://a/t/u/.well-known/openid-configuration",
            ],
        ),
    ] {
        assert_eq!(texts(&of_issuer(&url(issuer))), expected);
    }
}

#[test]
fn metadata_speak_of_the_server_or_of_its_parent() {
    let server = url("https://a.example.com/x/mcp?k=v");
    for (identifier, fits) in [
        ("https://a.example.com/x/mcp?k=v", true),
        ("https://a.example.com/x/mcp", true),
        ("https://a.example.com/x/mcp/", true),
        ("https://A.example.com:443/x", true),
        ("https://a.example.com/x/", true),
        ("https://a.example.com", true),
        ("https://a.example.com/", true),
        ("https://a.example.com/x/mcp?k=w", false),
        ("https://a.example.com/x/mc", false),
        ("https://a.example.com/x/mcp/more", false),
        ("https://a.example.com/y", false),
        ("https://a.example.com/X/mcp", false),
        ("https://a.example.com/x/../y", false),
        ("https://a.example.com:8443/x/mcp", false),
        ("http://a.example.com/x/mcp", false),
        ("https://b.example.com/x/mcp", false),
        ("https://a.example.com.evil.com/x/mcp", false),
        ("https://a.example.com@evil.com/x/mcp", false),
        ("https://user@a.example.com/x/mcp", false),
        ("https://a.example.com/x/mcp#f", false),
        ("urn:x", false),
        ("", false),
    ] {
        let document = json!({ "resource": identifier }).to_string();
        let document = Document::parse(document.as_bytes()).unwrap();
        let read = resource::read(&document, &server);
        assert_eq!(read.is_ok(), fits, "{identifier}");
        if let Ok(resource) = read {
            assert_eq!(resource.identifier, identifier, "as it is spelt");
        }
    }
    let nameless = Document::parse(b"{}").unwrap();
    assert!(resource::read(&nameless, &server).is_err());
}

#[test]
fn a_server_without_metadata_is_identified_by_its_url() {
    for (server, expected) in [
        ("https://A.example.com:443", "https://a.example.com"),
        ("https://a.example.com/", "https://a.example.com"),
        ("https://a.example.com/mcp/", "https://a.example.com/mcp/"),
        ("https://a.example.com/?k", "https://a.example.com/?k"),
        ("https://a.example.com/mcp#f", "https://a.example.com/mcp"),
    ] {
        assert_eq!(identifier_of(&url(server)), expected);
    }
}

#[test]
fn scopes_come_from_the_challenge_and_the_catalog_then_from_the_resource() {
    let sets = ["", "c", "k", "r", "r offline_access"].map(Scopes::parse);
    let [none, challenge, catalog, resource, server] = &sets;
    for (known, expected) in [
        ((None, None, None, None), ""),
        ((None, None, None, Some(server)), ""),
        ((None, None, Some(none), Some(server)), ""),
        ((None, None, Some(resource), None), "r"),
        (
            (None, None, Some(resource), Some(server)),
            "offline_access r",
        ),
        ((None, Some(catalog), Some(resource), Some(resource)), "k"),
        (
            (Some(challenge), None, Some(resource), Some(server)),
            "c offline_access",
        ),
        (
            (Some(challenge), Some(catalog), Some(resource), None),
            "c k",
        ),
    ] {
        let (challenge, catalog, resource, server) = known;
        let known = Known {
            challenge,
            catalog,
            resource,
            server,
        };
        assert_eq!(choose(known).to_string(), expected, "{known:?}");
    }
}
