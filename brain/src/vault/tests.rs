use std::time::Duration;

use fernet::Fernet;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use userengine_api::key::KEY_BYTES;

use super::*;
use crate::ring::RingConfig;

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([byte; KEY_BYTES])
}

fn vault(byte: u8) -> Vault {
    let ring = Ring::load(RingConfig::Single(key(byte))).unwrap();
    Vault::new(
        &ring,
        Clock::manual("2026-01-01T00:00:00Z".parse().unwrap()),
    )
}

fn place(row: &str) -> Place {
    Place::new(SealedColumn::KeyCanary, row)
}

fn seal(byte: u8, text: &str) -> Sealed {
    vault(byte)
        .seal(&key(byte).kid(), &place("row"), &SecretString::from(text))
        .unwrap()
}

#[test]
fn opens_what_it_sealed_where_it_sealed_it() {
    for text in ["", "token", "ünï\u{0}\n\"code\"", &"x".repeat(100_000)] {
        let opened = vault(1).open(&seal(1, text), &place("row")).unwrap();
        assert_eq!(opened.expose_secret(), text);
    }
}

#[test]
fn does_not_open_in_another_place() {
    let error = vault(1)
        .open(&seal(1, "token"), &place("other"))
        .unwrap_err();
    assert!(matches!(error, UnsealError::WrongPlace { .. }), "{error}");
}

#[test]
fn tells_a_key_that_is_not_held_from_a_key_that_does_not_fit() {
    let sealed = seal(1, "token");
    assert!(matches!(
        vault(2).open(&sealed, &place("row")),
        Err(UnsealError::KeyNotHeld(_))
    ));
    let mislabelled = Sealed {
        kid: key(2).kid(),
        ..sealed
    };
    assert!(matches!(
        vault(2).open(&mislabelled, &place("row")),
        Err(UnsealError::WrongKey(_))
    ));
}

#[test]
fn opens_a_token_from_the_future_because_age_is_no_reason() {
    let ahead = vault(1);
    ahead.clock.advance(Duration::from_hours(10 * 365 * 24));
    let sealed = ahead
        .seal(&key(1).kid(), &place("row"), &SecretString::from("token"))
        .unwrap();
    assert!(vault(1).open(&sealed, &place("row")).is_ok());
}

#[test]
fn an_altered_token_does_not_open() {
    let sealed = seal(1, "token");
    let text = sealed.token.as_str();
    let other = if &text[20..21] == "A" { "B" } else { "A" };
    let altered = format!("{}{other}{}", &text[..20], &text[21..]);
    let altered = Sealed {
        token: Token::try_from(altered).unwrap(),
        ..sealed
    };
    assert!(matches!(
        vault(1).open(&altered, &place("row")),
        Err(UnsealError::WrongKey(_))
    ));
}

#[test]
fn bare_plaintext_under_the_right_key_is_not_a_sealed_value() {
    let fernet = Fernet::new(&key(1).text()).unwrap();
    for plaintext in [
        "token",
        "{}",
        r#"{"for":"key_canary.sealed/row"}"#,
        r#"{"for":"key_canary.sealed/row","v":1}"#,
    ] {
        let token = Token::try_from(fernet.encrypt(plaintext.as_bytes())).unwrap();
        let sealed = Sealed {
            kid: key(1).kid(),
            token,
        };
        assert!(
            matches!(
                vault(1).open(&sealed, &place("row")),
                Err(UnsealError::NotAnEnvelope)
            ),
            "{plaintext}"
        );
    }
}

#[test]
fn opens_the_token_of_the_specification_up_to_its_content() {
    // https://github.com/fernet/spec/blob/master/generate.json
    let key = EncryptionKey::parse(b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
    let vault = Vault::new(
        &Ring::load(RingConfig::Single(key.clone())).unwrap(),
        Clock::manual(Timestamp::UNIX_EPOCH),
    );
    let token = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    let sealed = Sealed {
        kid: key.kid(),
        token: Token::try_from(token.to_owned()).unwrap(),
    };
    assert!(matches!(
        vault.open(&sealed, &place("row")),
        Err(UnsealError::NotAnEnvelope)
    ));
}

#[test]
fn debug_and_errors_tell_nothing_of_keys_and_values() {
    let sealed = seal(1, "hunter2");
    let error = vault(1).open(&sealed, &place("other")).unwrap_err();
    for shown in [
        format!("{:?}", vault(1)),
        format!("{error} {error:?}"),
        format!("{sealed:?}"),
    ] {
        assert!(
            !shown.contains("hunter2") && !shown.contains(&key(1).text()[..8]),
            "{shown}"
        );
        assert!(!shown.contains(&sealed.token.as_str()[30..]), "{shown}");
    }
    let held = format!("{:?}", vault(1));
    assert!(held.contains(key(1).kid().as_str()), "{held}");
    let length = sealed.token.as_str().len();
    let shown = format!("{:?}", sealed.token);
    assert_eq!(shown, format!("Token({length} characters)"));
}

#[test]
fn knows_which_keys_it_holds() {
    let kid = key(1).kid();
    assert!(vault(1).holds(&kid) && !vault(1).holds(&key(2).kid()));
    assert_eq!(vault(1).only(), Some(&kid));
    assert_eq!(both().only(), None);
    let held = both().held();
    assert!(held.len() == 2 && held.contains(&kid), "{held:?}");
}

/// The stamp of a token is its second to ninth byte (<https://github.com/fernet/spec/blob/master/Spec.md>).
#[test]
fn a_token_is_stamped_with_the_time() {
    let fernet = Fernet::new(&key(1).text()).unwrap();
    let sealed = seal(1, "token");
    let stamp: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let stamp = u64::try_from(stamp.as_second()).unwrap();
    let within = |now| fernet.decrypt_at_time(sealed.token.as_str(), Some(10), now);
    assert!(within(stamp + 9).is_ok());
    assert!(within(stamp + 11).is_err());
}

/// Whose buffer grows leaves its secret behind in what it had before.
#[test]
fn the_envelope_of_a_value_is_written_in_one_piece() {
    let place = place("row");
    let worst = SecretString::from("\u{1}".repeat(10_000));
    let written = envelope::write(&place, &worst).unwrap();
    let least = 60_000..60_000 + 32 + 6 * (place.to_string().len() + 1);
    assert!(least.contains(&written.len()), "{}", written.len());
    assert!(
        least.contains(&written.capacity()),
        "{}",
        written.capacity()
    );
}

fn both() -> Vault {
    let mut both = vault(1);
    both.keys.extend(vault(2).keys);
    both
}

#[test]
fn a_value_is_sealed_anew_for_the_place_where_it_lies_and_no_other() {
    let (sealed, to) = (seal(1, "token"), key(2).kid());
    let anew = both().reseal(&sealed, &place("row"), &to).unwrap();
    assert_eq!(anew.kid, to);
    let opened = vault(2).open(&anew, &place("row")).unwrap();
    assert_eq!(opened.expose_secret(), "token");
    assert!(both().reseal(&sealed, &place("other"), &to).is_err());
    assert!(vault(1).reseal(&sealed, &place("row"), &to).is_err());
}

#[test]
fn a_tag_tells_values_apart_and_not_by_which_key_they_are_sealed() {
    let (vault, to) = (both(), key(2).kid());
    let authenticator = vault.authenticator(&to, Purpose::Inventory).unwrap();
    let mut tagger = vault.tagger(&authenticator);
    let mut tag =
        |sealed: &Sealed, at: &str| tagger.tag(&sealed.kid, sealed.token.as_bytes(), &place(at));
    let sealed = seal(1, "token");
    let anew = vault.reseal(&sealed, &place("row"), &to).unwrap();
    let first = tag(&sealed, "row").unwrap();
    assert_eq!(tag(&anew, "row").unwrap(), first);
    assert_ne!(tag(&seal(1, "another"), "row").unwrap(), first);
    assert!(tag(&sealed, "other").is_err());
}

#[test]
fn the_key_that_sealed_a_text_is_found_by_opening_it() {
    let sealed = seal(2, "token");
    let found = both().sealed_by(sealed.token.as_str()).cloned();
    assert_eq!(found, Some(key(2).kid()));
    assert_eq!(vault(1).sealed_by(sealed.token.as_str()), None);
    assert_eq!(both().sealed_by("token"), None);
}
