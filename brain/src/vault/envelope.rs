//! The plaintext inside a token: the value with its place.

use std::borrow::Cow;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use super::{Place, SealError, UnsealError};

#[derive(Serialize)]
struct Written<'a> {
    r#for: &'a str,
    v: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read<'a> {
    #[serde(borrow)]
    r#for: Cow<'a, str>,
    v: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Framed<'a> {
    #[serde(borrow)]
    r#for: Cow<'a, str>,
    #[serde(rename = "v")]
    _value: Text,
}

/// A text that is there and that nobody wants.
struct Text;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unread;
        impl Visitor<'_> for Unread {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, _: &str) -> Result<Text, E> {
                Ok(Text)
            }
        }
        deserializer.deserialize_str(Unread)
    }
}

/// JSON escapes a byte as six at most. The buffer never grows, so no copy of the value is left behind.
const WORST_ESCAPE: usize = 6;

pub(super) fn write(place: &Place, value: &SecretString) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let place = place.to_string();
    let value = value.expose_secret();
    let room = 32 + WORST_ESCAPE * (place.len() + value.len());
    let mut plaintext = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(
        &mut *plaintext,
        &Written {
            r#for: &place,
            v: value,
        },
    )
    .map_err(|_| SealError::Encode)?;
    Ok(plaintext)
}

pub(super) fn read(plaintext: &[u8], place: &Place) -> Result<SecretString, UnsealError> {
    // serde's own message quotes the text it stumbled over.
    let envelope: Read<'_> =
        serde_json::from_slice(plaintext).map_err(|_| UnsealError::NotAnEnvelope)?;
    let value = SecretString::from(envelope.v);
    right_place(&envelope.r#for, place).map(|()| value)
}

/// The same checks as [`read`], for those who do not want the value.
pub(super) fn check(plaintext: &[u8], place: &Place) -> Result<(), UnsealError> {
    let envelope: Framed<'_> =
        serde_json::from_slice(plaintext).map_err(|_| UnsealError::NotAnEnvelope)?;
    right_place(&envelope.r#for, place)
}

fn right_place(found: &str, place: &Place) -> Result<(), UnsealError> {
    if place.is(found) {
        Ok(())
    } else {
        let expected = place.to_string();
        Err(UnsealError::WrongPlace { expected })
    }
}
