//! The authorization server of a resource.

use serde::{Deserialize, Serialize};
use url::Url;

use super::OauthError;
use crate::domain::Scopes;

/// The authorization server of a resource, discovered and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The issuer, as the metadata spell it. Tokens and clients are kept by it.
    pub issuer: String,
    /// What `resource` is set to in each request (RFC 8707), as the resource's metadata spell it.
    pub resource: String,
    /// Where the person consents: https, or http where the engine may use it.
    pub authorization_endpoint: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: Url,
    /// Where clients register.
    pub registration_endpoint: Option<Url>,
    /// Where tokens are revoked.
    pub revocation_endpoint: Option<Url>,
    /// Does it take a metadata document's URL as `client_id`?
    pub client_id_metadata_documents: bool,
    /// Does it promise `iss` in its redirects (RFC 9207)?
    pub sends_iss: bool,
    /// How a client may authenticate; empty = it does not say.
    pub token_endpoint_auth_methods: Vec<String>,
    /// The scopes to ask for, chosen from the challenge, the catalog, the resource's and the server's metadata; empty =
    /// ask for none and let the server choose.
    pub scopes: Scopes,
    /// All scopes that the authorization server lists.
    #[serde(default)]
    pub known_scopes: Scopes,
}

/// Does the answer in the browser come from this provider (RFC 9207 §2.4)? Checked before anything else of the answer,
/// its error included, is looked at. Issuers are compared as text, without any normalization.
pub fn check_iss(provider: &Provider, iss: Option<&str>) -> Result<(), OauthError> {
    match iss {
        Some(iss) if iss == provider.issuer => Ok(()),
        Some(_) => Err(OauthError::unusable(
            "the answer names another issuer than the one that was asked",
        )),
        None if provider.sends_iss => Err(OauthError::unusable(
            "the answer does not name its issuer, although the provider promises it",
        )),
        None => Ok(()),
    }
}
