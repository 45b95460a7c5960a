//! An answer of the token endpoint (RFC 6749 §5.1), as providers really write it.

use bytes::Bytes;
use http::Response;
use secrecy::SecretString;
use serde_json::Value;

use crate::domain::Scopes;
use crate::oauth::OauthError;
use crate::oauth::answer::{self, Members};

/// An answer of the token endpoint.
#[derive(Debug, Clone)]
pub struct TokenSet {
    /// Sent to the MCP server. Fits a header.
    pub access_token: SecretString,
    /// Kept for the next refresh.
    pub refresh_token: Option<SecretString>,
    /// Lifetime in seconds, at most ten years; `None` if it was not told.
    pub expires_in: Option<u64>,
    /// What was granted; `None` = what was asked for.
    pub scopes: Option<Scopes>,
}

/// Longest lifetime in seconds: what is longer is never waited for.
const LONGEST: u64 = 10 * 365 * 24 * 60 * 60;
/// Token types that mean "send it as a bearer token": RFC 6750's, and Slack's names for whose token it is.
const BEARER: [&str; 3] = ["bearer", "bot", "user"];

/// The tokens of an answer, or why there are none.
pub(in crate::oauth) fn read(
    answer: &Response<Bytes>,
    secrets: &[&SecretString],
) -> Result<TokenSet, OauthError> {
    let members = answer::read(answer, secrets)?;
    // Slack puts a user's token below `authed_user` (<https://docs.slack.dev/reference/methods/oauth.v2.access>).
    let holder = match members.get("authed_user") {
        Some(Value::Object(user)) if text(&members, "access_token").is_none() => user,
        _ => &members,
    };
    let access_token = text(holder, "access_token")
        .ok_or(OauthError::Malformed("a token answer without access_token"))?;
    if !access_token.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(OauthError::Malformed("an access token that fits no header"));
    }
    let kind = text(holder, "token_type").unwrap_or("bearer");
    if !BEARER.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return Err(OauthError::Malformed("a token that is not a bearer token"));
    }
    Ok(TokenSet {
        access_token: access_token.into(),
        refresh_token: text(holder, "refresh_token").map(Into::into),
        expires_in: holder.get("expires_in").and_then(seconds),
        scopes: holder.get("scope").and_then(scopes),
    })
}

fn text<'a>(members: &'a Members, name: &str) -> Option<&'a str> {
    let text = members.get(name)?.as_str()?;
    Some(text).filter(|text| !text.is_empty())
}

/// A number, or a number in quotes. Providers write 0 for "does not expire".
fn seconds(value: &Value) -> Option<u64> {
    let seconds = match value {
        Value::String(text) => text.trim().parse().ok()?,
        value => value.as_f64()?,
    };
    // A cast to an integer saturates, and NaN is not above 0.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "fractions are dropped, and what is left is above 0"
    )]
    (seconds >= 1.0).then_some((seconds as u64).min(LONGEST))
}

/// Separated by spaces (RFC 6749 §3.3), by commas (Slack, GitHub), or a list.
fn scopes(value: &Value) -> Option<Scopes> {
    let split = |text: &str| -> Vec<String> {
        text.split([' ', ',', '\t', '\n', '\r'])
            .map(str::to_owned)
            .collect()
    };
    match value {
        Value::String(text) => Some(split(text).into_iter().collect()),
        Value::Array(list) => Some(
            list.iter()
                .filter_map(Value::as_str)
                .flat_map(split)
                .collect(),
        ),
        _ => None,
    }
}
