//! What is asked for.

use std::fmt;

use serde::{Deserialize, Serialize};
use userengine_api::key::Kid;
use userengine_api::names::INITIAL;

/// What the id of a rotation because of a key's age begins with; the key's id follows.
pub(crate) const AUTOMATIC: &str = "age-";

/// One request: all of it is consumed together, once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// Its id. An id is consumed once in the life of a brain.
    pub id: RotationId,
    /// Why.
    pub mode: Mode,
    /// Back to this key, instead of on to a new one.
    pub rollback_to: Option<Kid>,
    /// Rows that nobody can open, and that somebody decided to set aside.
    pub set_aside: Vec<RowName>,
}

/// Why a key is changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// As a precaution: the old key is kept for a while, and every credential stays as it is.
    #[default]
    Normal,
    /// Somebody may have the old key: it is destroyed without the wait, and every credential needs fresh consent.
    Compromised,
}

/// The name of a request: 1 to 63 characters of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RotationId(String);

/// The text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rotation id is 1 to 63 characters of a-z A-Z 0-9 - _ .")]
pub struct RotationIdError;

impl RotationId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a rotation because of a key's age. No request may have such a one.
    pub fn is_automatic(&self) -> bool {
        self.0.starts_with(AUTOMATIC)
    }

    /// No request may have it: it names the first key, or a rotation because of a key's age.
    pub fn is_reserved(&self) -> bool {
        self.0 == INITIAL || self.is_automatic()
    }
}

impl TryFrom<String> for RotationId {
    type Error = RotationIdError;

    fn try_from(text: String) -> Result<Self, RotationIdError> {
        let fits = (1..=63).contains(&text.len())
            && text
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
        fits.then_some(Self(text)).ok_or(RotationIdError)
    }
}

impl From<RotationId> for String {
    fn from(id: RotationId) -> Self {
        id.0
    }
}

impl fmt::Display for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row of the brain, `<table>/<row id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RowName {
    table: String,
    row: String,
}

/// The text names no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a row is named <table>/<row id>")]
pub struct RowNameError;

impl RowName {
    /// The row with this id in this table.
    pub fn new(table: impl Into<String>, row: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            row: row.into(),
        }
    }

    /// The table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The row's id within the table.
    pub fn row(&self) -> &str {
        &self.row
    }
}

impl TryFrom<String> for RowName {
    type Error = RowNameError;

    fn try_from(text: String) -> Result<Self, RowNameError> {
        match text.split_once('/') {
            Some((table, row)) if !table.is_empty() && !row.is_empty() => Ok(Self {
                table: table.to_owned(),
                row: row.to_owned(),
            }),
            _ => Err(RowNameError),
        }
    }
}

impl From<RowName> for String {
    fn from(name: RowName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for RowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table, self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_63_characters_that_a_label_may_have() {
        let longest = "a".repeat(63);
        for text in ["a", "2026-q3_after.leak", longest.as_str()] {
            assert_eq!(
                RotationId::try_from(text.to_owned()).unwrap().as_str(),
                text
            );
        }
        for text in ["", "a b", "ä", "a/b", &format!("{longest}a")] {
            assert!(RotationId::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_row_is_named_by_table_and_id() {
        let name = RowName::try_from("connections/a/b".to_owned()).unwrap();
        assert_eq!((name.table(), name.row()), ("connections", "a/b"));
        for text in ["", "connections", "/", "connections/", "/a"] {
            assert!(RowName::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
