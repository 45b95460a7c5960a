//! Answers of the endpoints that take codes, tokens and registrations: success, refusal, trouble or nonsense.

use bytes::Bytes;
use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use http::{Response, StatusCode};
use jiff::Zoned;
use jiff::fmt::rfc2822;
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{OauthError, words};

/// The members of an answer. They may be secrets: this is never printed.
pub(super) type Members = Map<String, Value>;

/// Longest wait that is taken over from a provider: a day, in seconds.
const LONGEST_WAIT: i64 = 24 * 60 * 60;

/// What providers call by names of their own, and the name of RFC 6749 (or the one that everybody knows). GitHub:
/// <https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors>,
/// Slack: <https://docs.slack.dev/reference/methods/oauth.v2.access>.
const SYNONYMS: [(&str, &str); 12] = [
    ("bad_verification_code", "invalid_grant"),
    ("bad_refresh_token", "invalid_grant"),
    ("invalid_code", "invalid_grant"),
    ("code_already_used", "invalid_grant"),
    ("invalid_refresh_token", "invalid_grant"),
    ("token_revoked", "invalid_grant"),
    ("token_expired", "invalid_grant"),
    ("incorrect_client_credentials", "invalid_client"),
    ("bad_client_secret", "invalid_client"),
    ("invalid_client_id", "invalid_client"),
    ("bad_client_id", "invalid_client"),
    ("bad_redirect_uri", "redirect_uri_mismatch"),
];

/// Refusals that are none: the same request may succeed later.
const PASSING: [&str; 8] = [
    "temporarily_unavailable",
    "server_error",
    "slow_down",
    "ratelimited",
    "internal_error",
    "fatal_error",
    "request_timeout",
    "service_unavailable",
];

/// The members of a success, or why it is none. Texts of the provider that quote one of `secrets` are left out.
pub(super) fn read(
    answer: &Response<Bytes>,
    secrets: &[&SecretString],
) -> Result<Members, OauthError> {
    let status = answer.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(unwell(answer));
    }
    let members = members(answer.body());
    if let Some(error) = members
        .as_ref()
        .and_then(|members| refusal(answer, members, secrets))
    {
        return Err(error);
    }
    if status == StatusCode::UNAUTHORIZED {
        // RFC 6749 §5.2 knows this status for one case only.
        return Err(OauthError::Refused {
            code: "invalid_client".to_owned(),
            description: String::new(),
        });
    }
    if !status.is_success() {
        return Err(OauthError::Malformed(
            "it is neither a success nor an OAuth error",
        ));
    }
    members.ok_or(OauthError::Malformed("it is neither JSON nor a form"))
}

/// The provider is in trouble.
pub(super) fn unwell(answer: &Response<Bytes>) -> OauthError {
    OauthError::Unwell {
        status: answer.status().as_u16(),
        retry_after: retry_after(answer.headers()),
    }
}

/// A JSON object, or the form that GitHub answers with unless it is asked not to.
fn members(body: &[u8]) -> Option<Members> {
    let body = body.trim_ascii();
    match body.first()? {
        b'{' => serde_json::from_slice(body).ok(),
        b'<' | b'[' | b'"' => None,
        _ => {
            let pairs = form_urlencoded::parse(body);
            let members: Members = pairs
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect();
            let known = members.contains_key("access_token") || members.contains_key("error");
            known.then_some(members)
        }
    }
}

/// `error` (RFC 6749 §5.2), also beside HTTP 200 as GitHub does it, or Slack's `"ok": false`.
fn refusal(
    answer: &Response<Bytes>,
    members: &Members,
    secrets: &[&SecretString],
) -> Option<OauthError> {
    let not_ok = members.get("ok") == Some(&Value::Bool(false));
    let own = match members.get("error") {
        Some(Value::String(code)) if !code.is_empty() => words::code(code, secrets),
        Some(Value::Object(_) | Value::Number(_) | Value::Bool(true)) => "unknown".to_owned(),
        _ if not_ok => "unknown".to_owned(),
        _ => return None,
    };
    if PASSING.contains(&own.as_str()) {
        return Some(unwell(answer));
    }
    let described = ["error_description", "message"]
        .iter()
        .find_map(|name| members.get(*name)?.as_str())
        .map(|text| words::clean(text, secrets))
        .unwrap_or_default();
    let known = SYNONYMS.iter().find(|(theirs, _)| *theirs == own);
    Some(match known {
        None => OauthError::Refused {
            code: own,
            description: described,
        },
        Some((_, code)) => OauthError::Refused {
            code: (*code).to_owned(),
            description: format!("{own}: {described}"),
        },
    })
}

/// Seconds, or a date (RFC 9110 §10.2.3), which is read against the answer's own `Date`: no clock of ours takes part.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse().ok().or_else(|| {
        let until = date(headers, &RETRY_AFTER)?;
        let now = date(headers, &DATE)?;
        Some(until.timestamp().as_second() - now.timestamp().as_second())
    })?;
    u64::try_from(seconds.clamp(0, LONGEST_WAIT)).ok()
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Zoned> {
    rfc2822::parse(headers.get(name)?.to_str().ok()?).ok()
}
