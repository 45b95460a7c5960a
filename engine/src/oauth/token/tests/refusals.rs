//! Answers that are no tokens.

use serde_json::{Value, json};

use super::answered;
use crate::oauth::OauthError;

fn refusal(status: u16, body: &Value) -> String {
    match answered(status, body.to_string()) {
        Err(OauthError::Refused { code, description }) => format!("{code}: {description}"),
        Err(OauthError::Unwell { status, .. }) => format!("unwell {status}"),
        Err(error) => error.to_string(),
        Ok(_) => "tokens".to_owned(),
    }
}

#[test]
fn refusals_have_the_rfcs_names_whatever_the_status() {
    for (status, body, expected) in [
        (
            400,
            json!({ "error": "invalid_grant", "error_description": "Token\nexpired" }),
            "invalid_grant: Token expired",
        ),
        (400, json!({ "error": "invalid_scope" }), "invalid_scope: "),
        (
            401,
            json!({ "error": "invalid_client" }),
            "invalid_client: ",
        ),
        (401, json!({}), "invalid_client: "),
        (
            200,
            json!({ "error": "bad_verification_code", "error_description": "The code is incorrect" }),
            "invalid_grant: bad_verification_code: The code is incorrect",
        ),
        (
            200,
            json!({ "error": "incorrect_client_credentials" }),
            "invalid_client: incorrect_client_credentials: ",
        ),
        (
            200,
            json!({ "error": "redirect_uri_mismatch" }),
            "redirect_uri_mismatch: ",
        ),
        (
            200,
            json!({ "ok": false, "error": "invalid_refresh_token" }),
            "invalid_grant: invalid_refresh_token: ",
        ),
        (
            200,
            json!({ "ok": false, "error": "bad_redirect_uri" }),
            "redirect_uri_mismatch: bad_redirect_uri: ",
        ),
        (200, json!({ "ok": false }), "unknown: "),
        (
            200,
            json!({ "ok": false, "access_token": "a" }),
            "unknown: ",
        ),
        (
            400,
            json!({ "error": { "code": 400 }, "message": "bad" }),
            "unknown: bad",
        ),
        (400, json!({ "error": "two words" }), "unknown: "),
        // Not refused, only not now.
        (
            400,
            json!({ "error": "temporarily_unavailable" }),
            "unwell 400",
        ),
        (
            200,
            json!({ "ok": false, "error": "internal_error" }),
            "unwell 200",
        ),
        (500, json!({ "error": "invalid_grant" }), "unwell 500"),
        (429, json!({ "error": "ratelimited" }), "unwell 429"),
    ] {
        assert_eq!(refusal(status, &body), expected, "{status} {body}");
    }
    let form = "error=bad_refresh_token&error_description=The+refresh+token+is+incorrect";
    let error = answered(200, form).unwrap_err();
    assert!(error.grant_is_over(), "{error:?}");
    assert!(
        !answered(200, "error=invalid_client")
            .unwrap_err()
            .grant_is_over()
    );
}

#[test]
fn what_is_no_answer_is_malformed() {
    for (status, body) in [
        (200, ""),
        (200, "<html>error=x&access_token=y</html>"),
        (200, "OK"),
        (200, "[]"),
        (200, "\"access_token\""),
        (200, "{\"access_token\":"),
        (200, "{}"),
        (200, "{\"access_token\":\"\"}"),
        (200, "{\"access_token\":7}"),
        (200, "{\"access_token\":\"a b\"}"),
        (200, "{\"access_token\":\"a\\r\\nX: y\"}"),
        (200, "{\"access_token\":\"é\"}"),
        (200, "{\"access_token\":\"a\",\"token_type\":\"DPoP\"}"),
        (200, "{\"access_token\":\"a\",\"token_type\":\"N_A\"}"),
        (200, "{\"authed_user\":{}}"),
        (200, "{\"authed_user\":\"x\"}"),
        (302, ""),
        (404, "not here"),
        (400, "{}"),
    ] {
        let outcome = answered(status, body);
        assert!(
            matches!(outcome, Err(OauthError::Malformed(_))),
            "{status} {body}: {outcome:?}"
        );
    }
    let deep = format!("{{\"a\":{}", "[".repeat(60_000));
    assert!(matches!(answered(200, deep), Err(OauthError::Malformed(_))));
    assert!(matches!(
        answered(200, vec![b'{', 0xff, b'}']),
        Err(OauthError::Malformed(_))
    ));
}
