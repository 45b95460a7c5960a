use secrecy::SecretString;

use crate::oauth::words::{clean, code};

#[test]
fn words_are_cut_and_made_visible() {
    let long = "é".repeat(500);
    for (text, expected) in [
        ("", ""),
        ("  the   grant\r\nhas\texpired ", "the grant has expired"),
        ("a\u{0}b\u{1b}[31mc\u{7f}d", "a b [31mc d"),
        ("\u{202e}evil\u{2066}\u{200b}", "evil"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        (&long, &"é".repeat(200)),
    ] {
        assert_eq!(clean(text, &[]), expected, "{text:?}");
    }
    assert_eq!(clean(&"\u{200b}".repeat(100_000), &[]), "");
}

#[test]
fn words_that_quote_a_secret_or_a_piece_of_one_are_left_out() {
    let long = SecretString::from("canary-0123456789-abcdef");
    let short = SecretString::from("tiny");
    let empty = SecretString::from("");
    for (text, stays) in [
        ("code canary-0123456789-abcdef is used", false),
        ("code canary-01234… is used", false),
        ("…789-abcdef…", true),
        ("56789-abcdef", false),
        ("éécanary-01234éé", false),
        ("a tiny mistake", false),
        ("the code is used", true),
    ] {
        let cleaned = clean(text, &[&long, &short, &empty]);
        assert_eq!(cleaned == text, stays, "{text}: {cleaned}");
        assert!(stays || !cleaned.contains("canary"), "{cleaned}");
    }
}

#[test]
fn a_code_is_short_visible_ascii_or_unknown() {
    let secret = SecretString::from("canary-0123456789");
    let long = "a".repeat(65);
    for (text, expected) in [
        ("invalid_grant", "invalid_grant"),
        ("", "unknown"),
        ("two words", "unknown"),
        ("é", "unknown"),
        ("a\nb", "unknown"),
        (long.as_str(), "unknown"),
        ("canary-0123456789", "unknown"),
    ] {
        assert_eq!(code(text, &[&secret]), expected);
    }
}
