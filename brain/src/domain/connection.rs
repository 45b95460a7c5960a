//! A connection of the engine to an MCP server.

use std::fmt;

/// The id of a connection: `conn-` and 20 characters of `[a-z0-9]`, from 100 random bits.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectionId(String);

/// The text is not a connection's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a connection's id is conn- and 20 characters of a-z 0-9")]
pub struct ConnectionIdError;

const PREFIX: &str = "conn-";
const LENGTH: usize = 20;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl ConnectionId {
    /// An id from random bytes, five bits of each.
    pub fn from_random(bytes: [u8; LENGTH]) -> Self {
        let tail = bytes
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
            .map(|c| char::from(*c));
        Self(PREFIX.chars().chain(tail).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ConnectionId {
    type Error = ConnectionIdError;

    fn try_from(text: String) -> Result<Self, ConnectionIdError> {
        let fits = text.strip_prefix(PREFIX).is_some_and(|tail| {
            tail.len() == LENGTH
                && tail
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        });
        if fits {
            Ok(Self(text))
        } else {
            Err(ConnectionIdError)
        }
    }
}

impl From<ConnectionId> for String {
    fn from(id: ConnectionId) -> Self {
        id.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a connection is in its life. Each state has a way back: connect the same server and alias again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStatus {
    /// The person has not come back from the provider yet.
    PendingOauth,
    /// Calls work.
    Connected,
    /// The credential no longer works and cannot be refreshed.
    Expired,
    /// The provider took the grant back.
    Revoked,
}

impl ConnectionStatus {
    /// The name in the API and in the brain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PendingOauth => "pending_oauth",
            Self::Connected => "connected",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl std::str::FromStr for ConnectionStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "pending_oauth" => Ok(Self::PendingOauth),
            "connected" => Ok(Self::Connected),
            "expired" => Ok(Self::Expired),
            "revoked" => Ok(Self::Revoked),
            _ => Err(()),
        }
    }
}
