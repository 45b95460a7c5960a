//! Dynamic client registration (RFC 7591).

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::answer::{self, Members};
use super::client::{self, BASIC, NONE, POST};
use super::{ANSWER, CLIENT_NAME, Client, OauthError, Provider};
use crate::egress::{Egress, Profile};

/// Longest id that is taken: it ends up in a URL.
const LONGEST_ID: usize = 2048;

/// Registers a client (RFC 7591).
///
/// Some servers let a client ask later only for scopes that it named here, and one that grew new wishes would be refused: so
/// all that the server lists are named. Others refuse such a list: then none is.
pub async fn register(
    http: &Egress,
    provider: &Provider,
    redirect_uri: &Url,
) -> Result<Client, OauthError> {
    let method = client::method_to_register(provider)?;
    let mut metadata = metadata(redirect_uri, method);
    let scopes = provider.scopes.union(&provider.known_scopes);
    if !scopes.is_empty() {
        metadata.insert("scope".to_owned(), scopes.to_string().into());
        match post(http, provider, &metadata).await {
            Err(OauthError::Refused { .. }) => {
                metadata.remove("scope");
            }
            answer => return taken(&answer?, redirect_uri, method),
        }
    }
    taken(
        &post(http, provider, &metadata).await?,
        redirect_uri,
        method,
    )
}

async fn post(
    http: &Egress,
    provider: &Provider,
    metadata: &Members,
) -> Result<Members, OauthError> {
    let body = serde_json::to_vec(metadata)
        .map_err(|_| OauthError::Malformed("a registration that cannot be written"))?;
    let request = provider
        .registration_endpoint
        .as_ref()
        .and_then(|endpoint| {
            Request::post(endpoint.as_str())
                .header(CONTENT_TYPE, "application/json")
                .header(ACCEPT, "application/json")
                .body(Bytes::from(body))
                .ok()
        })
        .ok_or_else(|| {
            OauthError::unusable("it has no registration_endpoint that can be called")
        })?;
    let answer = http.fetch(Profile::Catalog, request, ANSWER).await?;
    answer::read(&answer, &[])
}

/// What the engine says of itself (RFC 7591 §2, OpenID Connect Dynamic Client Registration 1.0 §2).
fn metadata(redirect_uri: &Url, method: &str) -> Members {
    let members = [
        ("client_name", json!(CLIENT_NAME)),
        ("redirect_uris", json!([redirect_uri.as_str()])),
        (
            "grant_types",
            json!(["authorization_code", "refresh_token"]),
        ),
        ("response_types", json!(["code"])),
        ("token_endpoint_auth_method", json!(method)),
        ("application_type", json!(application_type(redirect_uri))),
    ];
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The client as the server made it: it may have changed what was asked for (RFC 7591 §3.2.1).
pub(super) fn taken(
    members: &Members,
    redirect_uri: &Url,
    asked: &str,
) -> Result<Client, OauthError> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let id = text("client_id")
        .filter(|id| (1..=LONGEST_ID).contains(&id.len()) && !id.contains(char::is_control))
        .ok_or(OauthError::Malformed("a registration without a client_id"))?;
    if let Some(Value::Array(uris)) = members.get("redirect_uris")
        && !uris
            .iter()
            .any(|uri| uri.as_str() == Some(redirect_uri.as_str()))
    {
        return Err(OauthError::Malformed(
            "a registration with other redirect URIs than the one asked for",
        ));
    }
    let secret = text("client_secret").filter(|secret| !secret.is_empty());
    let auth_method = match (text("token_endpoint_auth_method").unwrap_or(asked), secret) {
        (NONE, _) => NONE,
        (BASIC, Some(_)) => BASIC,
        (POST, Some(_)) => POST,
        (BASIC | POST, None) => {
            return Err(OauthError::Malformed("a registration without its secret"));
        }
        _ => {
            return Err(OauthError::Malformed(
                "a registration with a way to authenticate that was not asked for",
            ));
        }
    };
    Ok(Client {
        id: id.to_owned(),
        secret: secret
            .filter(|_| auth_method != NONE)
            .map(SecretString::from),
        auth_method: auth_method.to_owned(),
        expires_at: members.get("client_secret_expires_at").and_then(end),
    })
}

/// Seconds since 1970; 0 = never.
fn end(value: &Value) -> Option<Timestamp> {
    let seconds = value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .filter(|seconds| *seconds > 0)?;
    Timestamp::from_second(seconds).ok()
}

/// `native` where the callback is on this machine, else `web`: with OpenID Connect it decides which redirects are legal.
pub(super) fn application_type(redirect_uri: &Url) -> &'static str {
    if redirect_uri.scheme() == "http" {
        "native"
    } else {
        "web"
    }
}
