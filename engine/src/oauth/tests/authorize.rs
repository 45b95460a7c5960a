use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::*;

fn parameters(url: &Url) -> BTreeMap<String, Vec<String>> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        let values = parameters.entry(name.into_owned()).or_default();
        values.push(value.into_owned());
    }
    parameters
}

fn begun(provider: &Provider, scopes: &str) -> Authorization {
    let callback = url("https://relay.example.com/assets/oauth/callback");
    let scopes = Scopes::parse(scopes);
    authorize(
        provider,
        &client("none", None),
        &callback,
        "acme.alice.canary",
        &scopes,
    )
    .unwrap()
}

#[test]
fn the_url_carries_each_parameter_once() {
    let provider = provider("https://idp.example.com");
    let authorization = begun(&provider, "write read");
    let verifier = authorization.verifier.expose_secret();
    assert_eq!(verifier.len(), 43);
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let expected = [
        ("client_id", "an id:1"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        (
            "redirect_uri",
            "https://relay.example.com/assets/oauth/callback",
        ),
        ("resource", "https://idp.example.com/mcp"),
        ("response_type", "code"),
        ("scope", "read write"),
        ("state", "acme.alice.canary"),
    ]
    .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
    assert_eq!(parameters(&authorization.url), expected.into());
    assert_ne!(
        begun(&provider, "").verifier.expose_secret(),
        verifier,
        "a verifier is fresh"
    );
}

#[test]
fn no_scope_is_no_parameter_and_offline_access_asks_for_consent() {
    let provider = provider("https://idp.example.com");
    let none = parameters(&begun(&provider, "").url);
    assert!(!none.contains_key("scope") && !none.contains_key("prompt"));
    let offline = parameters(&begun(&provider, "offline_access read").url);
    assert_eq!(offline["prompt"], ["consent"]);
}

#[test]
fn the_endpoints_own_query_stays_but_for_what_is_ours() {
    let mut provider = provider("https://idp.example.com");
    for (query, kept) in [
        ("?tenant=a%2Fb&x", "tenant=a%2Fb&x&response_type="),
        (
            "?state=evil&p=1&%73tate=evil&code_challenge_method=plain",
            "p=1&response_type=",
        ),
        ("?&&", "response_type="),
        ("", "response_type="),
    ] {
        provider.authorization_endpoint = url(&format!("https://idp.example.com/authorize{query}"));
        let begun = begun(&provider, "");
        let query = begun.url.query().unwrap();
        assert!(query.starts_with(kept), "{query}");
        let parameters = parameters(&begun.url);
        assert_eq!(parameters["state"], ["acme.alice.canary"]);
        assert_eq!(parameters["code_challenge_method"], ["S256"]);
    }
}

#[test]
fn neither_state_nor_verifier_is_printed() {
    let begun = begun(&provider("https://idp.example.com"), "");
    let printed = format!("{begun:?}");
    assert!(!printed.contains("canary") && !printed.contains(begun.verifier.expose_secret()));
}
