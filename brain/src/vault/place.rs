//! The registry of sealed columns, and the places in them.

use std::fmt;

/// Every sealed column of the schema. Rotation walks this list: a column that is missing here would be
/// left behind under the old key, so a test compares it with the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealedColumn {
    /// The known text that shows whether a ring fits a brain.
    KeyCanary,
    /// The credential of a connection: OAuth tokens or a static one.
    ConnectionCredentials,
    /// The secret of a client that was registered with a provider.
    OauthClientSecret,
    /// The PKCE verifier of an authorization in progress.
    OauthFlowVerifier,
    /// Tokens that are still to be revoked.
    PendingRevocation,
}

impl SealedColumn {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ConnectionCredentials,
        Self::KeyCanary,
        Self::OauthClientSecret,
        Self::OauthFlowVerifier,
        Self::PendingRevocation,
    ];

    /// The table. It also has the column `kid`.
    pub fn table(self) -> &'static str {
        match self {
            Self::KeyCanary => "key_canary",
            Self::ConnectionCredentials => "connections",
            Self::OauthClientSecret => "oauth_clients",
            Self::OauthFlowVerifier => "oauth_flows",
            Self::PendingRevocation => "pending_revocations",
        }
    }

    /// The column with the token.
    pub fn column(self) -> &'static str {
        match self {
            Self::KeyCanary => "sealed",
            Self::ConnectionCredentials => "credentials",
            Self::OauthClientSecret => "client_secret",
            Self::OauthFlowVerifier => "verifier",
            Self::PendingRevocation => "request",
        }
    }

    /// The column that names a row.
    pub fn key(self) -> &'static str {
        match self {
            Self::KeyCanary => "kid",
            Self::ConnectionCredentials => "ref_id",
            Self::OauthClientSecret | Self::PendingRevocation => "id",
            Self::OauthFlowVerifier => "state_hash",
        }
    }

    /// The column by which the rows lie in the file: SQLite's own number, in a table that has one.
    pub fn lies_by(self) -> &'static str {
        match self {
            Self::ConnectionCredentials | Self::OauthClientSecret => "rowid",
            Self::KeyCanary | Self::OauthFlowVerifier | Self::PendingRevocation => self.key(),
        }
    }

    /// `<table>.<column>`.
    pub fn name(self) -> String {
        format!("{}.{}", self.table(), self.column())
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

    /// Is this the place's text? Said without writing the text.
    pub(super) fn is(&self, text: &str) -> bool {
        let rest = text.strip_prefix(self.column.table());
        let rest = rest.and_then(|rest| rest.strip_prefix('.'));
        let rest = rest.and_then(|rest| rest.strip_prefix(self.column.column()));
        let row = rest.and_then(|rest| rest.strip_prefix('/'));
        row == Some(&self.row)
    }

    /// The row's id.
    pub fn into_row(self) -> String {
        self.row
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_by_table_column_and_row() {
        let place = Place::new(SealedColumn::OauthFlowVerifier, "r-1");
        assert_eq!(place.to_string(), "oauth_flows.verifier/r-1");
        assert_eq!(
            SealedColumn::OauthFlowVerifier.name(),
            "oauth_flows.verifier"
        );
        assert_eq!(place.into_row(), "r-1");
    }

    #[test]
    fn knows_its_own_text_and_no_other() {
        for column in SealedColumn::ALL {
            let place = Place::new(column, "a/b.c");
            let text = place.to_string();
            assert!(place.is(&text));
            for (at, _) in text.char_indices() {
                let other = format!("{}!{}", &text[..at], &text[at + 1..]);
                assert!(!place.is(&other) && !place.is(&text[..at]), "{other}");
            }
            assert!(!place.is(&format!("{text} ")));
        }
    }
}
