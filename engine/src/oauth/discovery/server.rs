//! The metadata of the authorization server (RFC 8414, OpenID Connect Discovery 1.0).

use url::{Host, Url};

use super::document::{self, Document};
use super::well_known;
use crate::domain::Scopes;
use crate::egress::Egress;
use crate::oauth::OauthError;

/// Which issuer is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Issuer {
    url: Url,
    /// The text that the document's `issuer` must equal. `None` where only a URL is known, whose empty path the parser
    /// wrote as `/`.
    text: Option<String>,
}

impl Issuer {
    /// An issuer that a resource's metadata name, to be compared letter by letter.
    pub(super) fn named(text: &str) -> Result<Self, OauthError> {
        let bad = || {
            OauthError::unusable("the server's metadata name an issuer that is no URL of the web")
        };
        let url = Url::parse(text).map_err(|_| bad())?;
        let fits = matches!(url.scheme(), "https" | "http")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if fits {
            Ok(Self {
                url,
                text: Some(text.to_owned()),
            })
        } else {
            Err(bad())
        }
    }

    /// An issuer that is known by its URL.
    pub(super) fn at(url: &Url) -> Self {
        Self {
            url: url.clone(),
            text: None,
        }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// RFC 8414 §3.3: identical, not equivalent.
    fn is(&self, issuer: &str) -> bool {
        if let Some(text) = &self.text {
            return text == issuer;
        }
        let url = self.url.as_str();
        issuer == url || (self.url.path() == "/" && url.strip_suffix('/') == Some(issuer))
    }
}

/// What an authorization server says of itself.
#[derive(Debug)]
pub(super) struct Server {
    pub issuer: String,
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    pub registration_endpoint: Option<Url>,
    pub revocation_endpoint: Option<Url>,
    pub client_id_metadata_documents: bool,
    pub sends_iss: bool,
    pub token_endpoint_auth_methods: Vec<String>,
    pub scopes: Option<Scopes>,
}

/// Finds the metadata of an issuer. The first document that may be used counts; if none may, the first reason does.
pub(super) async fn find(http: &Egress, issuer: &Issuer) -> Result<Server, OauthError> {
    let mut refused = None;
    for place in well_known::of_issuer(&issuer.url) {
        let Some(document) = document::fetch(http, &place).await? else {
            continue;
        };
        match read(&document, issuer) {
            Ok(server) => return Ok(server),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| {
        let host = issuer.url.host_str().unwrap_or_default();
        OauthError::unusable(format!(
            "{host} publishes no metadata, and endpoints are not guessed"
        ))
    }))
}

/// Takes what the document says, if it is the issuer's own and the server knows S256.
pub(super) fn read(document: &Document, issuer: &Issuer) -> Result<Server, OauthError> {
    let named = document
        .text("issuer")
        .filter(|named| issuer.is(named))
        .ok_or_else(|| OauthError::unusable("its metadata name another issuer"))?;
    let methods = document.texts("code_challenge_methods_supported");
    if !methods.unwrap_or_default().contains(&"S256") {
        return Err(OauthError::unusable(
            "its metadata do not promise PKCE with S256 (code_challenge_methods_supported)",
        ));
    }
    let authorization_endpoint = required(document, "authorization_endpoint")?;
    check_for_browser(&authorization_endpoint, &issuer.url)?;
    let methods = document
        .texts("token_endpoint_auth_methods_supported")
        .unwrap_or_default();
    Ok(Server {
        issuer: named.to_owned(),
        authorization_endpoint,
        token_endpoint: required(document, "token_endpoint")?,
        registration_endpoint: document.url("registration_endpoint").transpose()?,
        revocation_endpoint: document.url("revocation_endpoint").transpose()?,
        client_id_metadata_documents: document.flag("client_id_metadata_document_supported"),
        sends_iss: document.flag("authorization_response_iss_parameter_supported"),
        token_endpoint_auth_methods: methods.into_iter().map(str::to_owned).collect(),
        scopes: document.scopes("scopes_supported"),
    })
}

fn required(document: &Document, member: &str) -> Result<Url, OauthError> {
    document.url(member).unwrap_or_else(|| {
        Err(OauthError::unusable(format!(
            "its metadata have no {member}"
        )))
    })
}

/// A browser opens this URL, so no guard stands before it: https, or http on loopback, or http at the origin from which
/// the guard let the metadata come.
fn check_for_browser(endpoint: &Url, issuer: &Url) -> Result<(), OauthError> {
    let on_loopback = match endpoint.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if endpoint.scheme() == "https" || on_loopback || endpoint.origin() == issuer.origin() {
        Ok(())
    } else {
        Err(OauthError::unusable(
            "its authorization_endpoint is not https",
        ))
    }
}
