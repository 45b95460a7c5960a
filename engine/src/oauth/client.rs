//! The client: who the engine is at an issuer, how it proves it, and where it comes from.

use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use super::{OauthError, Provider};
use crate::catalog::OauthSettings;

/// The ways to authenticate at a token endpoint (RFC 7591 §2).
pub(super) const NONE: &str = "none";
pub(super) const BASIC: &str = "client_secret_basic";
pub(super) const POST: &str = "client_secret_post";

/// A client as one issuer knows it.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret, if it has one.
    pub secret: Option<SecretString>,
    /// `none`, `client_secret_basic` or `client_secret_post`.
    pub auth_method: String,
    /// When the registration ends.
    pub expires_at: Option<Timestamp>,
}

/// Which client to use with a provider.
#[derive(Debug, Clone)]
pub enum ClientChoice {
    /// The one that the catalog has: somebody registered it by hand.
    Registered(Client),
    /// The document at [`client_metadata_url`](super::client_metadata_url) says who the engine is, at every issuer.
    Document(Client),
    /// One from [`register`](super::register), which is kept by issuer and used again until it expires.
    Dynamic,
}

/// Registered by hand, else a metadata document, else dynamic registration: the order of the MCP authorization
/// specification ("Client Registration"). A document that is not at https is fetched by nobody; `None` is one that is not
/// to be offered.
pub fn choose_client(
    provider: &Provider,
    settings: &OauthSettings,
    document: Option<&Url>,
) -> Result<ClientChoice, OauthError> {
    if let Some(id) = &settings.client_id {
        let auth_method = match &settings.client_secret {
            Some(_) => method_with_secret(provider).unwrap_or(BASIC),
            None => NONE,
        };
        return Ok(ClientChoice::Registered(Client {
            id: id.clone(),
            secret: settings.client_secret.clone(),
            auth_method: auth_method.to_owned(),
            expires_at: None,
        }));
    }
    let document = document.filter(|url| url.scheme() == "https");
    if let Some(document) = document.filter(|_| provider.client_id_metadata_documents) {
        return Ok(ClientChoice::Document(Client {
            id: document.as_str().to_owned(),
            secret: None,
            auth_method: NONE.to_owned(),
            expires_at: None,
        }));
    }
    if provider.registration_endpoint.is_some() {
        return Ok(ClientChoice::Dynamic);
    }
    Err(OauthError::unusable(
        "it registers no clients by itself: register the callback URL there by hand, and put the client's id into the catalog (oauth.client_id)",
    ))
}

/// How a client is to be registered: without a secret if the server can.
pub(super) fn method_to_register(provider: &Provider) -> Result<&'static str, OauthError> {
    let methods = &provider.token_endpoint_auth_methods;
    if methods.iter().any(|method| method == NONE) {
        return Ok(NONE);
    }
    method_with_secret(provider).ok_or_else(|| {
        OauthError::unusable("it takes no way to authenticate that the engine has (none, client_secret_basic, client_secret_post)")
    })
}

/// A server that names no way takes `client_secret_basic` (RFC 8414 §2).
fn method_with_secret(provider: &Provider) -> Option<&'static str> {
    let methods = &provider.token_endpoint_auth_methods;
    if methods.is_empty() {
        return Some(BASIC);
    }
    [BASIC, POST]
        .into_iter()
        .find(|known| methods.iter().any(|method| method == known))
}
