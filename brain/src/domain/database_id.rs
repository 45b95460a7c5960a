//! The id of a brain.

use std::fmt;

/// The id that a brain carries for life: 1 to 63 characters of `[a-zA-Z0-9-]`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatabaseId(String);

/// The text is not a brain's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a database id is 1 to 63 characters of a-z A-Z 0-9 and '-'")]
pub struct DatabaseIdError;

impl DatabaseId {
    /// An id from random bytes, in the form of a UUID version 4 (RFC 9562 §5.4), as Kubernetes makes them.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let value =
            u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{value:032x}");
        let mut text = String::with_capacity(36);
        for (position, digit) in hex.chars().enumerate() {
            if matches!(position, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(digit);
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DatabaseId {
    type Error = DatabaseIdError;

    fn try_from(text: String) -> Result<Self, DatabaseIdError> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        if fits {
            Ok(Self(text))
        } else {
            Err(DatabaseIdError)
        }
    }
}

impl From<DatabaseId> for String {
    fn from(id: DatabaseId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_is_a_uuid_of_version_4() {
        assert_eq!(
            DatabaseId::from_random([0xff; 16]).as_str(),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
        assert_eq!(
            DatabaseId::from_random([0; 16]).as_str(),
            "00000000-0000-4000-8000-000000000000"
        );
    }

    #[test]
    fn refuses_what_a_name_cannot_hold() {
        for text in ["", "a b", "a/b", "ü", &"a".repeat(64)] {
            assert_eq!(
                DatabaseId::try_from(text.to_owned()),
                Err(DatabaseIdError),
                "{text:?}"
            );
        }
        assert!(DatabaseId::try_from("a".repeat(63)).is_ok());
    }
}
