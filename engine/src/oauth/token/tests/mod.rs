//! Answers of token endpoints, as providers write them.

mod refusals;

use bytes::Bytes;
use http::Response;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::answer::read;
use crate::oauth::OauthError;

const CODE: &str = "canary-code-0123456789";

fn answered(status: u16, body: impl Into<Bytes>) -> Result<super::TokenSet, OauthError> {
    let answer = Response::builder()
        .status(status)
        .body(body.into())
        .unwrap();
    read(&answer, &[&SecretString::from(CODE)])
}

/// Access token, refresh token, lifetime and scopes.
fn tokens(body: &str) -> String {
    let tokens = answered(200, body.to_owned()).unwrap();
    let refresh = tokens
        .refresh_token
        .as_ref()
        .map(ExposeSecret::expose_secret);
    let scopes = tokens.scopes.map(|scopes| format!("[{scopes}]"));
    format!(
        "{} {} {:?} {}",
        tokens.access_token.expose_secret(),
        refresh.unwrap_or("-"),
        tokens.expires_in,
        scopes.as_deref().unwrap_or("-")
    )
}

#[test]
fn tokens_are_read_as_providers_write_them() {
    for (body, expected) in [
        // RFC 6749.
        (
            json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r", "scope": "x y" }),
            "a r Some(3600) [x y]",
        ),
        (
            json!({ "access_token": "a", "token_type": "bearer" }),
            "a - None -",
        ),
        // Types that are not what the RFC says.
        (
            json!({ "access_token": "a", "expires_in": "3600", "refresh_token": null, "scope": ["x", "y z"] }),
            "a - Some(3600) [x y z]",
        ),
        (
            json!({ "access_token": "a", "expires_in": 3599.7, "refresh_token": "", "scope": "" }),
            "a - Some(3599) []",
        ),
        (
            json!({ "access_token": "a", "expires_in": 0 }),
            "a - None -",
        ),
        (
            json!({ "access_token": "a", "expires_in": -5 }),
            "a - None -",
        ),
        (
            json!({ "access_token": "a", "expires_in": 1e300 }),
            "a - Some(315360000) -",
        ),
        (
            json!({ "access_token": "a", "expires_in": "NaN", "scope": 7 }),
            "a - None -",
        ),
        (
            json!({ "access_token": "a", "error": null, "error_description": "x", "token_type": null }),
            "a - None -",
        ),
        // GitHub: commas.
        (
            json!({ "access_token": "gho", "scope": "repo,gist", "token_type": "bearer" }),
            "gho - None [gist repo]",
        ),
        // Slack: a bot's token, a user's token below `authed_user`, or both.
        (
            json!({ "ok": true, "access_token": "xoxb", "token_type": "bot", "scope": "chat:write,users:read", "authed_user": { "id": "U1" } }),
            "xoxb - None [chat:write users:read]",
        ),
        (
            json!({ "ok": true, "app_id": "A1", "authed_user": { "id": "U1", "scope": "chat:write", "access_token": "xoxp", "token_type": "user", "refresh_token": "xoxe", "expires_in": 43200 } }),
            "xoxp xoxe Some(43200) [chat:write]",
        ),
        (
            json!({ "ok": true, "access_token": "xoxb", "token_type": "bot", "authed_user": { "access_token": "xoxp" } }),
            "xoxb - None -",
        ),
    ] {
        assert_eq!(tokens(&body.to_string()), expected, "{body}");
    }
    // GitHub without `Accept`: a form.
    let form = "access_token=gho_1&expires_in=28800&refresh_token=ghr%2F1&scope=repo%2Cgist&token_type=bearer";
    assert_eq!(tokens(form), "gho_1 ghr/1 Some(28800) [gist repo]");
    assert_eq!(tokens(" \n{\"access_token\":\"a\"}\n"), "a - None -");
}

#[test]
fn no_secret_is_printed_whatever_the_answer() {
    let slack = |token_type: &str| {
        json!({
            "ok": true, "bot_user_id": "canary", "team": { "name": "canary" },
            "authed_user": { "access_token": "xoxp-canary", "refresh_token": "xoxe-canary", "token_type": token_type },
            "incoming_webhook": { "url": "https://hooks.example.com/canary" },
        })
    };
    let described = |words: &str| json!({ "error": "invalid_grant", "error_description": words });
    for (status, body) in [
        (200, slack("user")),
        (200, slack("mac")),
        (500, slack("user")),
        (404, slack("user")),
        (
            200,
            json!({ "access_token": "canary canary", "refresh_token": "canary" }),
        ),
        (
            200,
            json!({ "access_token": "canary", "refresh_token": "canary", "id_token": "canary" }),
        ),
        (200, json!({ "access_token": ["canary"] })),
        (400, described(&format!("the code {CODE} was used"))),
        (400, described("the code canary-code-0… was used")),
        (
            400,
            json!({ "error": CODE, "error_uri": "https://x/canary" }),
        ),
        (400, json!({ "error": "unknown_error", "canary": "canary" })),
    ] {
        let outcome = answered(status, body.to_string());
        let mut printed = format!("{outcome:?}");
        if let Err(error) = outcome {
            printed += &error.to_string();
        }
        assert!(!printed.contains("canary"), "{body}: {printed}");
    }
}
