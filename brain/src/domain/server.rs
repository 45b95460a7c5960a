//! What a catalog says of a server, in words.

use std::fmt;

/// Longest name of a server or an alias.
pub const NAME_MAX: usize = 40;

/// The name of a catalog entry, or the alias of a connection: 1 to 40 characters of `[a-z0-9_-]`, the first of them a
/// letter or a digit. No dot: the first dot in a tool's name ends the alias.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(String);

/// The text is not a server's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a server's name or alias is 1 to {NAME_MAX} characters of a-z 0-9 '_' '-', beginning with a letter or a digit"
)]
pub struct ServerNameError;

impl ServerName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServerName {
    type Error = ServerNameError;

    fn try_from(text: String) -> Result<Self, ServerNameError> {
        let first_fits = text
            .bytes()
            .next()
            .is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let rest_fits = text
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_-".contains(&c));
        if first_fits && rest_fits && text.len() <= NAME_MAX {
            Ok(Self(text))
        } else {
            Err(ServerNameError)
        }
    }
}

impl From<ServerName> for String {
    fn from(name: ServerName) -> Self {
        name.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Streamable HTTP (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http>).
    StreamableHttp,
    /// HTTP with server-sent events, of the revision 2024-11-05.
    Sse,
    /// A child process, standalone only.
    Stdio,
}

/// How a server knows who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// The user consents at the provider.
    Oauth,
    /// The caller of `POST /assets/connect` brings a credential.
    Static,
    /// It does not ask.
    None,
}

impl AuthMethod {
    /// The name in the API and in the brain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oauth => "oauth",
            Self::Static => "static",
            Self::None => "none",
        }
    }
}

impl std::str::FromStr for AuthMethod {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "oauth" => Ok(Self::Oauth),
            "static" => Ok(Self::Static),
            "none" => Ok(Self::None),
            _ => Err(()),
        }
    }
}

/// Does a tool change anything? Whatever is not known to read is a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolClass {
    /// It only reads.
    Read,
    /// It may write.
    #[default]
    Write,
}
