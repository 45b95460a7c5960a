//! Whatever a challenge holds.

use http::HeaderValue;
use proptest::prelude::*;

use crate::arbitrary::{cases, near};
use crate::domain::Scopes;
use crate::oauth::Challenge;

const CHALLENGES: [&str; 6] = [
    r#"Bearer resource_metadata="https://a.example/.well-known/oauth-protected-resource", scope="a b""#,
    r#"Basic dGVzdA==, Bearer error="insufficient_scope", scope=read"#,
    r#"DPoP algs="ES256", Bearer realm="x\"y", error=invalid_token"#,
    "Bearer",
    "Negotiate, Basic realm=\"a, Bearer error=x\"",
    "Bearer ,,, = \"\" scope",
];

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn any_challenge_is_read_or_skipped(values in prop::collection::vec(near(&CHALLENGES), 0..4)) {
        let values: Vec<HeaderValue> = values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok()).collect();
        if let Some(Challenge { error, scope, .. }) = Challenge::parse(&values) {
            prop_assert!(error.is_none_or(|error| error.len() <= 64 && error.bytes().all(|c| c.is_ascii_graphic())));
            prop_assert!(scope.is_none_or(|scope| !scope.is_empty()));
        }
    }

    #[test]
    fn a_bearer_challenge_is_found_among_others(
        before in prop::sample::select(&["", "Basic realm=\"x, Bearer y\", ", "Negotiate, ", "DPoP error=\"no\", "][..]),
        after in prop::sample::select(&["", ", Basic dGVzdA==", ", Other a=b, c=\"d\""][..]),
        quoted in any::<bool>(),
        blank in prop::sample::select(&["", " ", "\t"][..]),
    ) {
        let error = if quoted { "\"in\\valid\"" } else { "invalid" };
        let text = format!("{before}bEaReR scope=\"a b\"{blank},{blank}ERROR{blank}={blank}{error}{after}");
        let challenge = Challenge::parse([&HeaderValue::from_str(&text).unwrap()]).unwrap();
        prop_assert_eq!((challenge.scope, challenge.error.as_deref()), (Some(Scopes::parse("a b")), Some("invalid")), "{}", text);
    }
}
