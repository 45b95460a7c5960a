//! Where the person is sent (RFC 6749 §4.1.1, RFC 7636, RFC 8707).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::{Client, OauthError, Provider};
use crate::domain::Scopes;

/// Bytes of a PKCE verifier: 43 characters, the shortest that RFC 7636 §4.1 allows and as strong as SHA-256.
const VERIFIER_BYTES: usize = 32;

/// Where a person is to be sent, and what has to be remembered of it.
pub struct Authorization {
    /// The URL for the browser. Holds the `state`.
    pub url: Url,
    /// The PKCE verifier (RFC 7636).
    pub verifier: SecretString,
}

impl fmt::Debug for Authorization {
    /// Without the query: it holds the `state`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        f.debug_struct("Authorization")
            .field("host", &host)
            .finish_non_exhaustive()
    }
}

/// The URL to which the person is sent. `state` and the verifier are fresh secrets.
pub fn authorize(
    provider: &Provider,
    client: &Client,
    redirect_uri: &Url,
    state: &str,
    scopes: &Scopes,
) -> Result<Authorization, OauthError> {
    let verifier = verifier()?;
    let challenge =
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret().as_bytes()));
    let scope = scopes.to_string();
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", client.id.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
        ("state", state),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("resource", provider.resource.as_str()),
    ];
    if !scope.is_empty() {
        parameters.push(("scope", &scope));
    }
    if scopes.contains("offline_access") {
        // Without it an OpenID provider must ignore offline_access (OpenID Connect Core 1.0 §11).
        parameters.push(("prompt", "consent"));
    }
    let mut url = provider.authorization_endpoint.clone();
    let query = with(url.query().unwrap_or_default(), &parameters);
    url.set_query(Some(&query));
    Ok(Authorization { url, verifier })
}

/// The endpoint's own query, kept as it is but for parameters that are ours: none may appear twice (RFC 6749 §3.1).
fn with(existing: &str, parameters: &[(&str, &str)]) -> String {
    let is_ours = |piece: &str| {
        form_urlencoded::parse(piece.as_bytes())
            .next()
            .is_none_or(|(name, _)| parameters.iter().any(|(ours, _)| *ours == name))
    };
    let mut query: Vec<String> = existing
        .split('&')
        .filter(|piece| !is_ours(piece))
        .map(str::to_owned)
        .collect();
    query.push(
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish(),
    );
    query.join("&")
}

fn verifier() -> Result<SecretString, OauthError> {
    let mut bytes = Zeroizing::new([0; VERIFIER_BYTES]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|_| OauthError::unusable("this machine gives no random numbers"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()).into())
}
