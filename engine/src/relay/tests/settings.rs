//! Settings that stop the start.

use super::*;

#[test]
fn a_template_that_could_lead_astray_stops_the_start() {
    for template in [
        "",
        "{name}.{namespace}",
        "http://{name}.{namespace}.example.com",
        "ftp://{name}.{namespace}.example.com",
        "{name}://{namespace}.example.com",
        "https://example.com",
        "https://{name}.example.com",
        "https://{namespace}.example.com",
        "https://{name}.{namespace}.example.com?a",
        "https://{name}.example.com?{namespace}",
        "https://{name}.example.com/#{namespace}",
        "https://{name}@{namespace}.example.com",
        "https://example.com:{name}/{namespace}",
        "https://{name}.{namespace}.{user}.example.com",
        "https://{name}.{namespace}.example.com/{",
        "https://{name}.{namespace}.example.com/a/../b",
        "https://{name}.{namespace}.example.com/%2e%2e/b",
        "https://{name}.{namespace}.example.com\\b",
        "https://{name}.{namespace}.example.com/a b",
        "https://{name}.{namespace}.example.com\n",
        "https://{name}.{namespace}.exämple.com",
        "javascript://{name}.{namespace}",
        "https://{name}-{namespace}.example.com",
        "https://example.com/{namespace}{name}",
    ] {
        let error = config("https://relay.example.com", template).unwrap_err();
        assert!(
            error.starts_with("ENGINE_URL_TEMPLATE"),
            "{template}: {error}"
        );
    }
    let error = config("http://relay.example.com", TEMPLATE).unwrap_err();
    assert!(error.starts_with("OAUTH_REDIRECT_BASE_URL"), "{error}");
}

#[test]
fn what_has_no_default_is_asked_for() {
    for (variable, other) in [
        ("OAUTH_REDIRECT_BASE_URL", ("ENGINE_URL_TEMPLATE", TEMPLATE)),
        (
            "ENGINE_URL_TEMPLATE",
            ("OAUTH_REDIRECT_BASE_URL", "https://relay.example.com"),
        ),
    ] {
        let error = RelayConfig::read(&Environment::of(&[other])).unwrap_err();
        assert_eq!(error.to_string(), format!("set {variable}"));
    }
}
