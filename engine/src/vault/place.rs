//! The registry of sealed columns, and the places in them.

use std::fmt;

/// Every sealed column of the schema. Rotation walks this list: a column that is missing here would be
/// left behind under the old key, so a test compares it with the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedColumn {
    /// The known text that shows whether a ring fits a brain.
    KeyCanary,
}

impl SealedColumn {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::KeyCanary];

    /// The table. It also has the column `kid`.
    pub fn table(self) -> &'static str {
        match self {
            Self::KeyCanary => "key_canary",
        }
    }

    /// The column with the token.
    pub fn column(self) -> &'static str {
        match self {
            Self::KeyCanary => "sealed",
        }
    }
}

/// One value's place. Its text is sealed with the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    column: SealedColumn,
    row: String,
}

impl Place {
    /// The place in this column, in the row with this id.
    pub fn new(column: SealedColumn, row: impl Into<String>) -> Self {
        Self {
            column,
            row: row.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}/{}",
            self.column.table(),
            self.column.column(),
            self.row
        )
    }
}
