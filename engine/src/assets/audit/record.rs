//! One row of the audit, before it is stored.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::assets::Connection;
use crate::domain::{ConnectionId, ServerName};
use crate::store::NewAuditRow;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditKind {
    /// A tool was called, or would have been.
    ToolCall,
    /// A changed definition of a tool was accepted.
    ToolAccepted,
    /// The definition of a tool is another than the pinned one.
    ToolChanged,
    /// A connection came to be, or came back.
    Connected,
    /// A connection was removed.
    Disconnected,
    /// A credential ended and cannot be renewed.
    Expired,
    /// The provider took the grant back.
    Revoked,
    /// A refresh failed.
    RefreshFailed,
    /// The provider confirmed, or never did, that the tokens of a removed connection are revoked.
    Revocation,
    /// A call was refused for want of scope.
    ScopeMissing,
    /// Another catalog is in force.
    CatalogReloaded,
}

impl AuditKind {
    /// The name in the API and in the brain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToolCall => "tool_call",
            Self::ToolAccepted => "tool_accepted",
            Self::ToolChanged => "tool_changed",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::RefreshFailed => "refresh_failed",
            Self::Revocation => "revocation",
            Self::ScopeMissing => "scope_missing",
            Self::CatalogReloaded => "catalog_reloaded",
        }
    }
}

/// A row to be. Never give it arguments, results, tokens or codes.
#[derive(Debug, Clone)]
pub struct Record {
    row: NewAuditRow,
}

impl Record {
    /// Something that happened to no connection in particular. Its outcome is `ok` until it is set.
    pub fn new(kind: AuditKind) -> Self {
        Self {
            row: NewAuditRow {
                at: String::new(),
                kind: kind.as_str(),
                ref_id: None,
                server_name: None,
                tool: None,
                outcome: Cow::Borrowed("ok"),
                duration_ms: None,
                request_id: None,
                details: Map::new(),
            },
        }
    }

    /// Something that happened to a connection.
    pub fn about(kind: AuditKind, connection: &Connection) -> Self {
        Self::new(kind).of(&connection.id, &connection.server)
    }

    /// The connection and the catalog's name of its server.
    #[must_use]
    pub fn of(mut self, id: &ConnectionId, server: &ServerName) -> Self {
        self.row.ref_id = Some(id.as_str().to_owned());
        self.row.server_name = Some(server.as_str().to_owned());
        self
    }

    /// The tool's full name.
    #[must_use]
    pub fn tool(mut self, name: impl Into<String>) -> Self {
        self.row.tool = Some(name.into());
        self
    }

    /// `started`, `ok`, `error` or a code of the API.
    #[must_use]
    pub fn outcome(mut self, outcome: impl Into<Cow<'static, str>>) -> Self {
        self.row.outcome = outcome.into();
        self
    }

    /// How long it took.
    #[must_use]
    pub fn took(mut self, duration: Duration) -> Self {
        self.row.duration_ms = Some(whole_milliseconds(duration));
        self
    }

    /// The request that caused it.
    #[must_use]
    pub fn request(mut self, id: Option<&str>) -> Self {
        self.row.request_id = id.map(str::to_owned);
        self
    }

    /// When it began, if it took a while.
    #[must_use]
    pub fn since(mut self, time: Timestamp) -> Self {
        self.row.at = self::time(time);
        self
    }

    /// All details.
    #[must_use]
    pub fn details(mut self, details: Map<String, Value>) -> Self {
        self.row.details = details;
        self
    }

    /// One more detail.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.row.details.insert(name.to_owned(), value.into());
        self
    }

    /// The row, as of this time if it did not begin earlier.
    pub(in crate::assets) fn at(mut self, now: Timestamp) -> NewAuditRow {
        if self.row.at.is_empty() {
            self.row.at = time(now);
        }
        self.row
    }
}

/// The one form of times in the audit.
pub(super) fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

pub(super) fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
