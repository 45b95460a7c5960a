//! Revocation (RFC 7009).

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::client::POST;
use super::token::{post, secrets};
use super::{Client, OauthError, answer};
use crate::egress::Egress;

/// Revokes a token (RFC 7009). `hint` is `access_token` or `refresh_token`. A token that the provider does not know any
/// more is revoked, too.
pub async fn revoke(
    http: &Egress,
    endpoint: &Url,
    client: &Client,
    token: &SecretString,
    hint: &str,
) -> Result<(), OauthError> {
    let plain = [("token", token.expose_secret()), ("token_type_hint", hint)];
    let outcome = ask(http, endpoint, client, token, &plain).await;
    if client.auth_method == POST || !is_incomplete(&outcome) {
        return outcome;
    }
    // Servers of the MCP SDK for Python want the field to be there, whatever it holds and however the client proves itself.
    let [token_field, hint_field] = plain;
    let complete = [token_field, hint_field, ("client_secret", "")];
    ask(http, endpoint, client, token, &complete).await
}

async fn ask(
    http: &Egress,
    endpoint: &Url,
    client: &Client,
    token: &SecretString,
    parameters: &[(&str, &str)],
) -> Result<(), OauthError> {
    let answer = post(http, endpoint, client, parameters).await?;
    match answer::read(&answer, &secrets(client, &[token])) {
        Ok(_) => Ok(()),
        // The body of a success says nothing (RFC 7009 §2.2).
        Err(OauthError::Malformed(_)) if answer.status().is_success() => Ok(()),
        Err(OauthError::Refused { code, .. })
            if matches!(code.as_str(), "invalid_token" | "invalid_grant") =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn is_incomplete(outcome: &Result<(), OauthError>) -> bool {
    matches!(outcome, Err(OauthError::Refused { code, .. }) if code == "invalid_request")
}
