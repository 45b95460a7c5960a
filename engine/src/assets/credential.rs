//! The credential of a connection: what is sealed, and how it gets into a request.

use std::borrow::Cow;
use std::sync::{Arc, Weak};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Connection;
use crate::catalog::{Endpoint, Entry, LiveCatalog};
use crate::domain::{AuthMethod, ConnectionId};
use crate::mcp::{Credential, CredentialSource};
use crate::vault::{Place, Sealed, SealedColumn, Vault};

/// What is sealed in `connections.credentials`. It names whom it may be sent to, so that no change of the catalog sends a
/// token to another server and no change of the brain sends it to another issuer.
#[derive(Debug, Clone)]
pub(super) enum Document {
    /// Tokens.
    Oauth {
        /// Who issued them.
        issuer: String,
        /// The server that takes them.
        audience: String,
        /// Sent to the server.
        access_token: SecretString,
        /// Sent to the issuer.
        refresh_token: Option<SecretString>,
    },
    /// What the caller brought.
    Static {
        /// The server that takes it.
        audience: String,
        /// The credential.
        value: SecretString,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Text<'a> {
    Oauth {
        #[serde(borrow)]
        issuer: Cow<'a, str>,
        #[serde(borrow)]
        audience: Cow<'a, str>,
        #[serde(borrow)]
        access_token: Cow<'a, str>,
        #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
        refresh_token: Option<Cow<'a, str>>,
    },
    Static {
        #[serde(borrow)]
        audience: Cow<'a, str>,
        #[serde(borrow)]
        value: Cow<'a, str>,
    },
}

/// JSON escapes a byte as six at most. The buffer never grows, so no copy of a secret is left behind.
const WORST_ESCAPE: usize = 6;

impl Document {
    /// The text to seal.
    pub(super) fn write(&self) -> SecretString {
        let (text, length) = match self {
            Self::Oauth {
                issuer,
                audience,
                access_token,
                refresh_token,
            } => {
                let (access, refresh) = (
                    access_token.expose_secret(),
                    refresh_token.as_ref().map(ExposeSecret::expose_secret),
                );
                let length =
                    issuer.len() + audience.len() + access.len() + refresh.map_or(0, str::len);
                let text = Text::Oauth {
                    issuer: issuer.into(),
                    audience: audience.into(),
                    access_token: access.into(),
                    refresh_token: refresh.map(Cow::from),
                };
                (text, length)
            }
            Self::Static { audience, value } => {
                let value = value.expose_secret();
                let text = Text::Static {
                    audience: audience.into(),
                    value: value.into(),
                };
                (text, audience.len() + value.len())
            }
        };
        let mut json = Zeroizing::new(Vec::with_capacity(128 + WORST_ESCAPE * length));
        if serde_json::to_writer(&mut *json, &text).is_err() {
            unreachable!("strings are JSON")
        }
        SecretString::from(String::from_utf8_lossy(&json).as_ref())
    }

    fn read(text: &SecretString) -> Option<Self> {
        // serde's own message quotes the text that it stumbled over.
        let text: Text<'_> = serde_json::from_str(text.expose_secret()).ok()?;
        Some(match text {
            Text::Oauth {
                issuer,
                audience,
                access_token,
                refresh_token,
            } => Self::Oauth {
                issuer: issuer.into_owned(),
                audience: audience.into_owned(),
                access_token: SecretString::from(access_token.as_ref()),
                refresh_token: refresh_token.map(|token| SecretString::from(token.as_ref())),
            },
            Text::Static { audience, value } => Self::Static {
                audience: audience.into_owned(),
                value: SecretString::from(value.as_ref()),
            },
        })
    }

    /// Opens a credential at its place.
    pub(super) fn open(vault: &Vault, id: &ConnectionId, sealed: &Sealed) -> Result<Self, String> {
        let text = vault
            .open(sealed, &place(id))
            .map_err(|error| format!("the stored credential does not open: {error}"))?;
        Self::read(&text).ok_or_else(|| "the stored credential has an unknown form".to_owned())
    }

    fn audience(&self) -> &str {
        match self {
            Self::Oauth { audience, .. } | Self::Static { audience, .. } => audience,
        }
    }
}

/// Where the credential of a connection lies.
pub(super) fn place(id: &ConnectionId) -> Place {
    Place::new(SealedColumn::ConnectionCredentials, id.as_str())
}

/// Who may get a credential: the origin of the server's URL (RFC 6454), or the program.
pub(super) fn audience(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::StreamableHttp(url) | Endpoint::Sse(url) => url.origin().ascii_serialization(),
        Endpoint::Stdio { program, .. } => format!("stdio:{program}"),
    }
}

/// Opens the credential of a connection for each request, and forgets it again.
#[derive(Debug, Clone)]
pub struct ConnectionCredential {
    vault: Arc<Vault>,
    catalog: Arc<LiveCatalog>,
    /// Weak: the session that uses this belongs to the connection.
    connection: Weak<Connection>,
}

impl ConnectionCredential {
    pub(super) fn new(
        vault: Arc<Vault>,
        catalog: Arc<LiveCatalog>,
        connection: &Arc<Connection>,
    ) -> Self {
        Self {
            vault,
            catalog,
            connection: Arc::downgrade(connection),
        }
    }
}

impl CredentialSource for ConnectionCredential {
    fn credential(&self) -> Result<Option<Credential>, String> {
        let connection = self
            .connection
            .upgrade()
            .ok_or("the connection was removed")?;
        let state = connection.state();
        if state.auth_method == AuthMethod::None {
            return Ok(None);
        }
        let catalog = self.catalog.current();
        let entry = catalog
            .servers
            .get(&connection.server)
            .ok_or("the catalog no longer has the server")?;
        let sealed = state
            .credential
            .as_ref()
            .ok_or("the connection has no credential")?;
        let document = Document::open(&self.vault, &connection.id, sealed)?;
        fits(&document, entry)?;
        Ok(Some(carried(&document, entry, state.generation)))
    }
}

/// May this credential be sent to this server?
pub(super) fn fits(document: &Document, entry: &Entry) -> Result<(), String> {
    let now = audience(&entry.endpoint);
    if document.audience() == now {
        Ok(())
    } else {
        Err(format!(
            "the credential was given for {}, and the catalog now names {now}: connect again",
            document.audience()
        ))
    }
}

/// The header or variable that carries a credential.
pub(super) fn carried(document: &Document, entry: &Entry, generation: u64) -> Credential {
    let (name, value) = match document {
        Document::Oauth { access_token, .. } => (
            "Authorization".to_owned(),
            joined("Bearer ", access_token.expose_secret()),
        ),
        Document::Static { value, .. } => {
            let settings = &entry.r#static;
            let default_header = settings.header.as_deref().unwrap_or("Authorization");
            let (name, default_prefix) = match (&entry.endpoint, &settings.env) {
                (Endpoint::Stdio { .. }, Some(variable)) => (variable.as_str(), ""),
                _ if default_header.eq_ignore_ascii_case("authorization") => {
                    (default_header, "Bearer ")
                }
                _ => (default_header, ""),
            };
            let prefix = settings.prefix.as_deref().unwrap_or(default_prefix);
            (name.to_owned(), joined(prefix, value.expose_secret()))
        }
    };
    Credential {
        name,
        value,
        generation,
    }
}

fn joined(prefix: &str, secret: &str) -> SecretString {
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + secret.len()));
    text.push_str(prefix);
    text.push_str(secret);
    SecretString::from(text.as_str())
}
