//! Whatever a token endpoint answers.

use bytes::Bytes;
use http::{HeaderValue, Response};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::answer::read;
use crate::arbitrary::{cases, json, near};

const CANARY: &str = "canary-0123456789abcdef";

const TOKENS: [&str; 5] = [
    r#"{"access_token": "canary-0123456789abcdef", "refresh_token": "canary-0123456789abcdef", "token_type": "Bearer", "expires_in": 3600, "scope": "a b"}"#,
    r#"{"ok": true, "authed_user": {"access_token": "canary-0123456789abcdef", "token_type": "user", "scope": "a,b"}}"#,
    "access_token=canary-0123456789abcdef&token_type=bearer&scope=a%2Cb",
    r#"{"error": "invalid_grant", "error_description": "the token canary-0123456789abcdef is over"}"#,
    r#"{"ok": false, "error": "canary-0123456789abcdef"}"#,
];

const NAMES: [&str; 10] = [
    "access_token",
    "refresh_token",
    "token_type",
    "expires_in",
    "scope",
    "authed_user",
    "ok",
    "error",
    "error_description",
    "message",
];

const TEXTS: [&str; 7] = [
    "",
    "Bearer",
    "invalid_grant",
    "slow_down",
    "3600",
    "a b",
    CANARY,
];

/// Near a good answer, or JSON of known names.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let any = json(&NAMES, &TEXTS).prop_map(|value| value.to_string().into_bytes());
    prop_oneof![3 => near(&TOKENS), 1 => any]
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(200_u16), 2 => Just(400), 1 => 100_u16..600]
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn any_token_answer_fits_a_header_or_is_refused_without_a_secret(status in status(), body in body()) {
        let sent = SecretString::from(CANARY);
        let answer = Response::builder().status(status).body(Bytes::from(body)).unwrap();
        match read(&answer, &[&sent]) {
            Ok(mut tokens) => {
                prop_assert!(HeaderValue::from_str(tokens.access_token.expose_secret()).is_ok());
                prop_assert!(tokens.expires_in.is_none_or(|seconds| (1..=315_360_000).contains(&seconds)));
                // Scopes are shown, whatever a provider writes into them.
                tokens.scopes = None;
                let shown = format!("{tokens:?}");
                prop_assert!(!shown.contains(CANARY), "{}", shown);
            }
            Err(error) => {
                let said = format!("{error} {error:?}");
                prop_assert!(!said.contains(CANARY) && said.len() < 2000, "{}", said);
            }
        }
    }
}
