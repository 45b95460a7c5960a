use super::*;
use crate::catalog::OauthSettings;

/// What is chosen, as `kind method secret?`.
fn chosen(provider: &Provider, settings: &OauthSettings, document: &str) -> String {
    let shown = |kind: &str, client: &Client| {
        let secret = client.secret.is_some();
        format!("{kind} {} {} {secret}", client.id, client.auth_method)
    };
    match choose_client(provider, settings, Some(&url(document))) {
        Ok(ClientChoice::Registered(client)) => shown("registered", &client),
        Ok(ClientChoice::Document(client)) => shown("document", &client),
        Ok(ClientChoice::Dynamic) => "dynamic".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn by_hand_comes_before_a_document_and_a_document_before_dynamic() {
    let mut provider = provider("https://idp.example.com");
    provider.client_id_metadata_documents = true;
    let (https, http) = (
        "https://a.example.com/c.json",
        "http://localhost:8080/c.json",
    );
    let by_hand = OauthSettings {
        client_id: Some("by-hand".to_owned()),
        ..OauthSettings::default()
    };
    let nothing = OauthSettings::default();
    assert_eq!(
        chosen(&provider, &by_hand, https),
        "registered by-hand none false"
    );
    assert_eq!(
        chosen(&provider, &nothing, https),
        "document https://a.example.com/c.json none false"
    );
    assert_eq!(chosen(&provider, &nothing, http), "dynamic");
    provider.client_id_metadata_documents = false;
    assert_eq!(chosen(&provider, &nothing, https), "dynamic");
    provider.registration_endpoint = None;
    let error = chosen(&provider, &nothing, https);
    assert!(error.contains("oauth.client_id"), "{error}");
    provider.client_id_metadata_documents = true;
    let error = chosen(&provider, &nothing, http);
    assert!(error.contains("oauth.client_id"), "{error}");
}

#[test]
fn a_secret_is_used_in_a_way_that_the_server_takes() {
    let mut provider = provider("https://idp.example.com");
    let settings = OauthSettings {
        client_id: Some("by-hand".to_owned()),
        client_secret: Some("canary".into()),
        ..OauthSettings::default()
    };
    for (methods, expected) in [
        (&[][..], "client_secret_basic"),
        (
            &["client_secret_post", "client_secret_basic"],
            "client_secret_basic",
        ),
        (&["none", "client_secret_post"], "client_secret_post"),
        (&["private_key_jwt"], "client_secret_basic"),
        (&["none"], "client_secret_basic"),
    ] {
        provider.token_endpoint_auth_methods = methods.iter().map(|it| (*it).to_owned()).collect();
        let chosen = chosen(&provider, &settings, "https://a.example.com/c.json");
        assert_eq!(chosen, format!("registered by-hand {expected} true"));
    }
    let choice = choose_client(
        &provider,
        &settings,
        Some(&url("https://a.example.com/c.json")),
    );
    assert!(!format!("{choice:?}").contains("canary"));
}
