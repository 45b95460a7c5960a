//! Addresses in an entry.

use url::Url;

use crate::egress::Allowed;

/// Parses an address to which credentials may go. Gives what was expected if it is none.
pub(super) fn parse(text: &str, allowed: &[Allowed]) -> Result<Url, String> {
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || c == '\\')
    {
        return Err("expected a URL without blanks and backslashes".to_owned());
    }
    let Ok(url) = Url::parse(text) else {
        return Err("expected a whole URL, beginning with https:// and a host".to_owned());
    };
    let plain = match url.scheme() {
        "https" => false,
        "http" => true,
        _ => return Err("expected a URL that begins with https://".to_owned()),
    };
    // `https:host` and `https:///host` parse, too, but are not what anybody means.
    let after_scheme = text.get(url.scheme().len()..).unwrap_or_default();
    if !after_scheme.starts_with("://") || after_scheme.starts_with(":///") {
        return Err(format!(
            "expected a URL that begins with {}:// and a host",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "expected a URL without a user name or password: no credential belongs into a catalog"
                .to_owned(),
        );
    }
    if url.fragment().is_some() {
        return Err("expected a URL without a fragment (#…): it is never sent".to_owned());
    }
    if plain && !allowed.iter().any(|entry| entry.opens_plain(&url)) {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        return Err(format!(
            "expected https; plain HTTP only goes where EGRESS_ALLOW opens it, as http://{host}:{port}"
        ));
    }
    Ok(url)
}

/// Parses the identifier of an authorization server, which has no query (RFC 8414 §2).
pub(super) fn parse_issuer(text: &str, allowed: &[Allowed]) -> Result<Url, String> {
    let url = parse(text, allowed)?;
    if url.query().is_some() {
        return Err(
            "expected a URL without a query (?…): an issuer has none (RFC 8414, section 2)"
                .to_owned(),
        );
    }
    Ok(url)
}
