use http::HeaderValue;

use super::*;

fn parse(values: &[&str]) -> Option<Challenge> {
    let values: Vec<HeaderValue> = values
        .iter()
        .map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap())
        .collect();
    Challenge::parse(&values)
}

fn shown(challenge: Option<Challenge>) -> String {
    let Some(challenge) = challenge else {
        return "no challenge".to_owned();
    };
    let resource = challenge.resource_metadata.map(String::from);
    let scope = challenge.scope.map(|scopes| scopes.to_string());
    [resource, scope, challenge.error]
        .map(|part| part.unwrap_or("-".to_owned()))
        .join(" | ")
}

#[test]
fn a_bearer_challenge_is_found_among_others_and_read_as_servers_write_it() {
    for (values, expected) in [
        (&[][..], "no challenge"),
        (&[""], "no challenge"),
        (&["Basic realm=\"x, Bearer scope=a\""], "no challenge"),
        (&["Bearer"], "- | - | -"),
        (&["bearer"], "- | - | -"),
        (
            &["Bearer resource_metadata=\"https://a/m\", scope=\"r w\""],
            "https://a/m | r w | -",
        ),
        (
            &[
                "BEARER Error=\"insufficient_scope\",SCOPE=\"w\",  Resource_Metadata=\"https://a/m\"",
            ],
            "https://a/m | w | insufficient_scope",
        ),
        // Blanks around `=`, no comma between parameters, no quotes around a URL.
        (
            &["Bearer scope = \"r\" error=invalid_token resource_metadata=https://a/m?x=1,realm=z"],
            "https://a/m?x=1 | r | invalid_token",
        ),
        // Commas, escapes and equal signs in quotes.
        (
            &[
                "Bearer realm=\"a, b\\\"c\", error_description=\"Bearer scope=\\\"x\\\"\", scope=\"y\"",
            ],
            "- | y | -",
        ),
        // Several challenges in one value, in several, and a token68.
        (
            &["Basic realm=\"x\", Bearer scope=\"r\", DPoP algs=\"ES256\", scope=\"d\""],
            "- | r | -",
        ),
        (&["Negotiate YII+/abc==, Bearer scope=r"], "- | r | -"),
        (&["Negotiate YII", "Bearer scope=r"], "- | r | -"),
        (
            &["DPoP scope=d", "Bearer error=invalid_token"],
            "- | - | invalid_token",
        ),
        // The first of a name counts, and what cannot be used is as good as absent.
        (&["Bearer scope=a, scope=b"], "- | a | -"),
        (
            &["Bearer resource_metadata=\"/relative\", scope=\"\""],
            "- | - | -",
        ),
        (&["Bearer scope=, error=\"e\""], "- | - | e"),
        (&["Bearer scope=\"never closed"], "- | closed never | -"),
        (&["Bearer error=\"two words\""], "- | - | unknown"),
        (&["Bearer @@@, scope=r"], "- | r | -"),
        (&["Bearer scope=\"a \u{e9} b\""], "- | a b | -"),
        (&[",,, Bearer ,,, scope=r ,,,"], "- | r | -"),
    ] {
        assert_eq!(shown(parse(values)), expected, "{values:?}");
    }
}

#[test]
fn a_hostile_challenge_is_looked_at_only_in_part() {
    let many = format!("Bearer {}scope=late", "a=b,".repeat(1000));
    assert_eq!(shown(parse(&[&many])), "- | - | -");
    let long = format!("Bearer realm=\"{}\", scope=late", "x".repeat(20_000));
    assert_eq!(shown(parse(&[&long])), "- | - | -");
    let quotes = format!("Bearer {}", "\"\\".repeat(5_000));
    assert_eq!(shown(parse(&[&quotes])), "- | - | -");
    let blanks = format!("Bearer{}{}", " ".repeat(9_000), "=".repeat(6_000));
    assert_eq!(shown(parse(&[&blanks])), "no challenge");
}

#[test]
fn any_bytes_are_parsed_without_a_panic() {
    let pieces = [
        "Bearer",
        "Basic",
        " ",
        ",",
        "=",
        "\"",
        "\\",
        "scope",
        "error",
        "resource_metadata",
        "a",
        "https://a/m",
        "é",
        "\t",
        "==",
        "/",
    ];
    // A walk through all pairs and triples of what a header is made of.
    for first in pieces {
        for second in pieces {
            for third in pieces {
                parse(&[&format!("Bearer {first}{second}{third}")]);
                parse(&[&format!("{first}{second}{third}")]);
            }
        }
    }
}
