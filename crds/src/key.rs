//! An encryption key and its id.
//!
//! One canonical form is accepted: 44 characters, the URL-safe alphabet, padded, decoding to 32 bytes
//! (the [Fernet key format](https://github.com/fernet/spec/blob/master/Spec.md)). Libraries disagree on
//! newlines, the standard alphabet and missing padding: the same text must never mean two keys, so
//! everything else is refused, each with its own reason.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::hex::hex;

/// Bytes in a key: 16 to sign and 16 to encrypt.
pub const KEY_BYTES: usize = 32;
/// Characters of the canonical text of a key.
pub const KEY_CHARS: usize = 44;

/// The fixed label of which a kid is the HMAC. Changing it renames every key in the world.
const KID_LABEL: &[u8] = b"userengine.dev/kid/v1";

/// An encryption key. Its `Debug` shows the kid only; the bytes are wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct EncryptionKey([u8; KEY_BYTES]);

/// Why a text is not a key. No variant carries any part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing there.
    #[error("the key is empty: expected {KEY_CHARS} characters of URL-safe base64")]
    Empty,
    /// Ends in a newline or another blank.
    #[error(
        "the key has white space before or after it: store exactly {KEY_CHARS} characters, with no newline at the end"
    )]
    Whitespace,
    /// `+` or `/` where `-` or `_` belongs.
    #[error("the key is in the standard base64 alphabet: replace '+' with '-' and '/' with '_'")]
    StandardAlphabet,
    /// The `=` at the end is missing.
    #[error("the key has lost its padding: expected {KEY_CHARS} characters, the last one '='")]
    Unpadded,
    /// Decodes, but to fewer bytes than a key has.
    #[error("the key is too short: expected {KEY_CHARS} characters, found {0}")]
    Truncated(usize),
    /// Decodes, but to more bytes than a key has.
    #[error("the key is too long: expected {KEY_CHARS} characters, found {0}")]
    TooLong(usize),
    /// Not base64 at all, or not in its canonical form.
    #[error(
        "the key is not URL-safe base64: expected {KEY_CHARS} characters of A-Z a-z 0-9 - _ and one '=' at the end"
    )]
    NotBase64,
}

impl EncryptionKey {
    /// The key made of these bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Parses the canonical text.
    pub fn parse(text: &[u8]) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        let decoded = Zeroizing::new(URL_SAFE.decode(text).map_err(|_| diagnose(text))?);
        let bytes =
            <[u8; KEY_BYTES]>::try_from(decoded.as_slice()).map_err(|_| wrong_length(text))?;
        Ok(Self(bytes))
    }

    /// The canonical text: 44 characters.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE.encode(self.0))
    }

    /// The bytes, for keys that are derived from this one.
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key's id: the first 16 hex digits of HMAC-SHA256 of a fixed label under the key.
    /// It names the key without telling anything of it.
    pub fn kid(&self) -> Kid {
        // HMAC takes a key of any length (RFC 2104), so this cannot fail for 32 bytes.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            unreachable!("HMAC refused a key of 32 bytes")
        };
        mac.update(KID_LABEL);
        let digest = mac.finalize().into_bytes();
        Kid(hex(digest.iter().take(8)))
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey({})", self.kid())
    }
}

fn wrong_length(text: &[u8]) -> KeyError {
    if text.len() < KEY_CHARS {
        KeyError::Truncated(text.len())
    } else {
        KeyError::TooLong(text.len())
    }
}

/// Names what is wrong with a text that strict decoding refused.
fn diagnose(text: &[u8]) -> KeyError {
    if text.trim_ascii().len() != text.len() {
        return KeyError::Whitespace;
    }
    let is_key = |bytes: Vec<u8>| Zeroizing::new(bytes).len() == KEY_BYTES;
    if STANDARD.decode(text).is_ok_and(is_key) || STANDARD_NO_PAD.decode(text).is_ok_and(is_key) {
        return if text.iter().any(|c| b"+/".contains(c)) {
            KeyError::StandardAlphabet
        } else {
            KeyError::Unpadded
        };
    }
    if URL_SAFE_NO_PAD.decode(text).is_ok_and(is_key) {
        return KeyError::Unpadded;
    }
    let in_alphabet = text
        .iter()
        .all(|c| c.is_ascii_alphanumeric() || b"-_=".contains(c));
    if in_alphabet && text.len() != KEY_CHARS {
        wrong_length(text)
    } else {
        KeyError::NotBase64
    }
}

/// The id of a key: 16 lowercase hex digits.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Kid(String);

/// The text is not a kid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key id is 16 lowercase hex digits")]
pub struct KidError;

impl Kid {
    /// The 16 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Kid {
    type Err = KidError;

    fn from_str(text: &str) -> Result<Self, KidError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Kid {
    type Error = KidError;

    fn try_from(text: String) -> Result<Self, KidError> {
        let is_kid =
            text.len() == 16 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        if is_kid {
            Ok(Self(text))
        } else {
            Err(KidError)
        }
    }
}

impl From<Kid> for String {
    fn from(kid: Kid) -> Self {
        kid.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes whose text has both letters in which the two alphabets differ.
    fn sample() -> EncryptionKey {
        EncryptionKey::from_bytes([0xfb; KEY_BYTES])
    }

    #[test]
    fn reads_back_its_own_text() {
        let text = sample().text();
        assert_eq!(text.len(), KEY_CHARS);
        assert_eq!(
            EncryptionKey::parse(text.as_bytes()).map(|key| key.kid()),
            Ok(sample().kid())
        );
    }

    #[test]
    fn a_kid_does_not_change_between_releases() {
        assert_eq!(
            EncryptionKey::from_bytes([0; KEY_BYTES]).kid().as_str(),
            "ddc7208453fe5dfa"
        );
    }

    #[test]
    fn shows_the_kid_and_no_byte_of_the_key() {
        let shown = format!("{:?}", sample());
        assert!(shown.contains(sample().kid().as_str()));
        assert!(!shown.contains(&sample().text()[..8]));
    }

    #[test]
    fn names_each_way_to_be_no_key() {
        let good = sample().text().to_string();
        let cases = [
            (String::new(), KeyError::Empty),
            (format!("{good}\n"), KeyError::Whitespace),
            (format!(" {good}"), KeyError::Whitespace),
            (
                good.replace('-', "+").replace('_', "/"),
                KeyError::StandardAlphabet,
            ),
            (good.trim_end_matches('=').to_owned(), KeyError::Unpadded),
            (good[..20].to_owned(), KeyError::Truncated(20)),
            (good[..41].to_owned(), KeyError::Truncated(41)),
            (format!("{}{good}", &good[..4]), KeyError::TooLong(48)),
            ("!".repeat(KEY_CHARS), KeyError::NotBase64),
        ];
        for (text, expected) in cases {
            assert_eq!(
                EncryptionKey::parse(text.as_bytes()).map(|key| key.kid()),
                Err(expected),
                "{text:?}"
            );
        }
    }

    #[test]
    fn no_error_repeats_the_key() {
        let secret = sample().text();
        for text in [
            format!("{}\n", *secret),
            secret[..43].to_owned(),
            format!("{}A", *secret),
        ] {
            let Err(error) = EncryptionKey::parse(text.as_bytes()) else {
                panic!("accepted {text:?}")
            };
            assert!(!error.to_string().contains(&secret[..8]));
        }
    }

    #[test]
    fn refuses_what_is_not_a_kid() {
        for text in [
            "",
            "0123",
            "0123456789ABCDEF",
            "0123456789abcdeg",
            "0123456789abcdef0",
        ] {
            assert_eq!(text.parse::<Kid>(), Err(KidError), "{text:?}");
        }
    }
}
