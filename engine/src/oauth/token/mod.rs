//! The token endpoint: codes and refresh tokens for access tokens (RFC 6749 §4.1.3 and §6, RFC 8707 §2.2).

mod answer;
mod request;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use answer::TokenSet;
pub(super) use request::post;

use super::{Client, OauthError, Provider};
use crate::egress::Egress;

/// Exchanges a code.
pub async fn exchange(
    http: &Egress,
    provider: &Provider,
    client: &Client,
    redirect_uri: &Url,
    code: &SecretString,
    verifier: &SecretString,
) -> Result<TokenSet, OauthError> {
    let parameters = [
        ("grant_type", "authorization_code"),
        ("code", code.expose_secret()),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", verifier.expose_secret()),
        ("resource", provider.resource.as_str()),
    ];
    let answer = post(http, &provider.token_endpoint, client, &parameters).await?;
    answer::read(&answer, &secrets(client, &[code, verifier]))
}

/// Exchanges a refresh token. An answer without a new one leaves `refresh_token` empty: the old one stays.
pub async fn refresh(
    http: &Egress,
    provider: &Provider,
    client: &Client,
    refresh_token: &SecretString,
) -> Result<TokenSet, OauthError> {
    let parameters = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose_secret()),
        ("resource", provider.resource.as_str()),
    ];
    let answer = post(http, &provider.token_endpoint, client, &parameters).await?;
    answer::read(&answer, &secrets(client, &[refresh_token]))
}

/// What was sent and must not come back in words.
pub(super) fn secrets<'a>(client: &'a Client, sent: &[&'a SecretString]) -> Vec<&'a SecretString> {
    sent.iter().copied().chain(&client.secret).collect()
}
