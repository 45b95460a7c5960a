//! Hashes of API keys. The engine never keeps a key, only these.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// SHA-256 of an API key. Enough without salt and rounds: the key is random, not a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// The first 8 hex digits: names the key in `/keys` and logs.
    pub fn short(&self) -> String {
        let [a, b, c, d, ..] = self.0;
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({}…)", self.short())
    }
}

impl FromStr for KeyHash {
    type Err = KeyHashesError;

    fn from_str(text: &str) -> Result<Self, KeyHashesError> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(KeyHashesError::NotAHash);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = str::from_utf8(digits).map_err(|_| KeyHashesError::NotAHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| KeyHashesError::NotAHash)?;
        }
        Ok(Self(bytes))
    }
}

/// The accepted hashes, the current one first, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHashes(Vec<KeyHash>);

/// Why a text is not a list of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyHashesError {
    /// No entry.
    #[error("the list of API key hashes is empty")]
    Empty,
    /// More entries than any rotation needs.
    #[error("the list of API key hashes has more than {MOST} entries")]
    TooMany,
    /// An entry that is no hash.
    #[error("an API key hash is not 64 hex digits")]
    NotAHash,
}

/// An overlap has two; the rest is room for a mistake. Each request is compared with all of them.
const MOST: usize = 8;

/// How a key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMatch {
    /// The first of the list.
    Current,
    /// A later one: it works until the overlap ends.
    Retiring,
}

impl KeyHashes {
    /// A list of one.
    pub fn one(hash: KeyHash) -> Self {
        Self(vec![hash])
    }

    /// Compares with every hash, in a time that does not depend on which one matches.
    pub fn find(&self, key: &[u8]) -> Option<KeyMatch> {
        let hash = KeyHash::of(key);
        let (mut found, mut retiring) = (Choice::from(0), Choice::from(0));
        for (position, known) in self.0.iter().enumerate() {
            let same = known.0.ct_eq(&hash.0);
            let later = Choice::from(u8::from(position > 0));
            // The first match counts, should a hash be listed twice.
            retiring = Choice::conditional_select(&retiring, &later, same & !found);
            found |= same;
        }
        match (found.into(), retiring.into()) {
            (false, _) => None,
            (true, false) => Some(KeyMatch::Current),
            (true, true) => Some(KeyMatch::Retiring),
        }
    }

    /// The short names, in order.
    pub fn short(&self) -> Vec<String> {
        self.0.iter().map(KeyHash::short).collect()
    }
}

impl FromStr for KeyHashes {
    type Err = KeyHashesError;

    /// Entries separated by commas or newlines; blanks around them do not count.
    fn from_str(text: &str) -> Result<Self, KeyHashesError> {
        let entries = text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let hashes = entries
            .map(str::parse)
            .collect::<Result<Vec<KeyHash>, _>>()?;
        match hashes.len() {
            0 => Err(KeyHashesError::Empty),
            1..=MOST => Ok(Self(hashes)),
            _ => Err(KeyHashesError::TooMany),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(key: &str) -> String {
        let digest = Sha256::digest(key);
        let half = |bytes: &[u8]| u128::from_be_bytes(bytes.try_into().unwrap());
        format!("{:032x}{:032x}", half(&digest[..16]), half(&digest[16..]))
    }

    #[test]
    fn the_first_of_the_list_is_current_and_the_others_retire() {
        let list: KeyHashes = format!(
            "{},{}\n{}\n",
            hex("new"),
            hex("old").to_uppercase(),
            hex("new")
        )
        .parse()
        .unwrap();
        assert_eq!(list.find(b"new"), Some(KeyMatch::Current));
        assert_eq!(list.find(b"old"), Some(KeyMatch::Retiring));
        assert_eq!(list.find(b"other"), None);
        assert_eq!(list.find(b""), None);
    }

    #[test]
    fn refuses_what_is_not_a_list_of_hashes() {
        let nine = vec![hex("a"); 9].join(",");
        let cases = [
            ("", KeyHashesError::Empty),
            (" ,\n", KeyHashesError::Empty),
            ("abc", KeyHashesError::NotAHash),
            (&hex("a")[1..], KeyHashesError::NotAHash),
            (&nine, KeyHashesError::TooMany),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<KeyHashes>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn shows_no_more_than_the_short_name() {
        assert!(!format!("{:?}", KeyHash::of(b"key")).contains(&hex("key")[..9]));
    }
}
