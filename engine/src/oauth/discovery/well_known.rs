//! Where metadata are looked for, in order.

use url::Url;

/// Where the metadata of a resource may be (RFC 9728 §3.1, and the root as MCP adds it).
pub(super) fn of_resource(server: &Url) -> Vec<Url> {
    let mut places = Vec::new();
    let path = without_slash(server.path());
    if !path.is_empty() {
        // The query is part of what is identified (RFC 9728 §3.1).
        let mut place = at(
            server,
            &format!("/.well-known/oauth-protected-resource{path}"),
        );
        place.set_query(server.query());
        places.push(place);
    }
    places.push(at(server, "/.well-known/oauth-protected-resource"));
    places
}

/// Where the metadata of an authorization server may be (RFC 8414 §3.1 and §5, OpenID Connect Discovery 1.0 §4).
pub(super) fn of_issuer(issuer: &Url) -> Vec<Url> {
    let path = without_slash(issuer.path());
    if path.is_empty() {
        return vec![
            at(issuer, "/.well-known/oauth-authorization-server"),
            at(issuer, "/.well-known/openid-configuration"),
        ];
    }
    vec![
        at(
            issuer,
            &format!("/.well-known/oauth-authorization-server{path}"),
        ),
        at(issuer, &format!("/.well-known/openid-configuration{path}")),
        at(issuer, &format!("{path}/.well-known/openid-configuration")),
    ]
}

fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(None);
    url.set_fragment(None);
    url
}
