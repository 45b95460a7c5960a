//! What a caller asks for, checked against the catalog and the connections that there are.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::assets::credential::{self, Document};
use crate::assets::{AssetError, Connection, Directory};
use crate::catalog::{Endpoint, Entry};
use crate::domain::{AuthMethod, ConnectionStatus, Scopes, ServerName};

/// More connections than a person has accounts.
const MOST_CONNECTIONS: usize = 200;
const LONGEST_CREDENTIAL: usize = 16 * 1024;
const LONGEST_URL: usize = 2048;

/// The body of `POST /assets/connect`, in the engine's words.
#[derive(Debug, Default)]
pub struct ConnectRequest {
    /// The catalog's name of the server.
    pub server_name: String,
    /// The prefix of its tools; `None` = the server's name.
    pub alias: Option<String>,
    /// The credential of a server with static authentication.
    pub credential: Option<SecretString>,
    /// Scopes to ask for instead of the catalog's; `None` = as the catalog or the server says.
    pub scopes: Option<Vec<String>>,
    /// Where the person goes after the provider.
    pub return_url: Option<String>,
    /// Connect again although it works.
    pub reconnect: bool,
}

/// A request that makes sense.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) entry: Arc<Entry>,
    pub(super) alias: ServerName,
    pub(super) credential: Option<SecretString>,
    pub(super) scopes: Option<Scopes>,
    pub(super) return_url: Option<Url>,
    pub(super) reconnect: bool,
}

impl Wanted {
    /// Checks each field. What is wrong is told with its field and its cure.
    pub(super) fn check(
        directory: &Directory,
        request: ConnectRequest,
    ) -> Result<Self, AssetError> {
        let entry = find(directory, &request.server_name)?;
        let wanted = Self {
            alias: alias(directory, request.alias, &entry)?,
            credential: credential(request.credential, &entry)?,
            scopes: scopes(request.scopes, &entry)?,
            return_url: request.return_url.as_deref().map(return_url).transpose()?,
            reconnect: request.reconnect,
            entry,
        };
        wanted.existing(directory)?;
        Ok(wanted)
    }

    /// The connection that this would bring back; `None` if it would be a new one.
    pub(super) fn existing(
        &self,
        directory: &Directory,
    ) -> Result<Option<Arc<Connection>>, AssetError> {
        let Some(connection) = directory.by_alias(&self.alias) else {
            return if directory.connections().len() < MOST_CONNECTIONS {
                Ok(None)
            } else {
                Err(invalid(
                    "alias",
                    format!(
                        "there are {MOST_CONNECTIONS} connections already: disconnect one first"
                    ),
                ))
            };
        };
        if connection.server != self.entry.name {
            return Err(already(&connection));
        }
        if self.may_connect_again(directory, &connection) {
            Ok(Some(connection))
        } else {
            Err(already(&connection))
        }
    }

    /// One that works is connected again only on purpose, or for more scopes than it has.
    fn may_connect_again(&self, directory: &Directory, connection: &Connection) -> bool {
        let state = connection.state();
        if state.status != ConnectionStatus::Connected || self.reconnect {
            return true;
        }
        let asks_for_more = self
            .scopes
            .as_ref()
            .is_some_and(|scopes| !scopes.without(&state.scopes).is_empty());
        asks_for_more
            || state.auth_method != self.entry.auth_method
            || !opens(directory, connection, &self.entry)
    }
}

/// Does the credential of a connection open, and may it be sent to where the catalog says?
fn opens(directory: &Directory, connection: &Connection, entry: &Entry) -> bool {
    let state = connection.state();
    match &state.credential {
        None => state.auth_method == AuthMethod::None,
        Some(sealed) => Document::open(&directory.vault, &connection.id, sealed)
            .is_ok_and(|document| credential::fits(&document, entry).is_ok()),
    }
}

fn find(directory: &Directory, name: &str) -> Result<Arc<Entry>, AssetError> {
    let not_found = || AssetError::ServerNotFound(shortened(name));
    let parsed = ServerName::try_from(name.to_owned()).map_err(|_| not_found())?;
    let catalog = directory.catalog.current();
    let entry = catalog.servers.get(&parsed).ok_or_else(not_found)?;
    match &entry.unavailable {
        Some(why) => Err(AssetError::ServerUnavailable {
            server: name.to_owned(),
            why: why.clone(),
        }),
        None => Ok(entry.clone()),
    }
}

fn alias(
    directory: &Directory,
    asked: Option<String>,
    entry: &Entry,
) -> Result<ServerName, AssetError> {
    let Some(asked) = asked else {
        return Ok(entry.name.clone());
    };
    let alias = ServerName::try_from(asked).map_err(|error| invalid("alias", error.to_string()))?;
    let names_another =
        alias != entry.name && directory.catalog.current().servers.contains_key(&alias);
    if names_another {
        return Err(invalid(
            "alias",
            format!("{alias} is the name of another server in the catalog: choose another alias"),
        ));
    }
    Ok(alias)
}

fn credential(
    given: Option<SecretString>,
    entry: &Entry,
) -> Result<Option<SecretString>, AssetError> {
    const FIELD: &str = "server_config.credential";
    match (entry.auth_method, given) {
        (AuthMethod::Static, None) => Err(invalid(
            FIELD,
            format!("{} needs a credential: give it here", entry.name),
        )),
        (AuthMethod::Static, Some(given)) => {
            let text = given.expose_secret();
            let in_a_header = !matches!(entry.endpoint, Endpoint::Stdio { .. });
            let fits = |c: u8| c != 0 && (!in_a_header || c.is_ascii_graphic() || c == b' ');
            if text.trim().is_empty() || text.len() > LONGEST_CREDENTIAL {
                Err(invalid(
                    FIELD,
                    format!("expected 1 to {LONGEST_CREDENTIAL} characters"),
                ))
            } else if !text.bytes().all(fits) {
                Err(invalid(
                    FIELD,
                    "expected visible ASCII, as a header can carry it",
                ))
            } else {
                Ok(Some(given))
            }
        }
        (AuthMethod::Oauth, Some(_)) => Err(invalid(
            FIELD,
            format!(
                "{} is connected by OAuth and takes no credential: leave it out",
                entry.name
            ),
        )),
        (AuthMethod::None, Some(_)) => Err(invalid(
            FIELD,
            format!("{} takes no credential: leave it out", entry.name),
        )),
        (AuthMethod::Oauth | AuthMethod::None, None) => Ok(None),
    }
}

fn scopes(given: Option<Vec<String>>, entry: &Entry) -> Result<Option<Scopes>, AssetError> {
    const FIELD: &str = "server_config.scopes";
    let Some(given) = given else { return Ok(None) };
    if entry.auth_method != AuthMethod::Oauth {
        return Err(invalid(
            FIELD,
            "only a server with OAuth has scopes: leave them out",
        ));
    }
    let count = given.len();
    let unique = given
        .iter()
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    let scopes: Scopes = given.into_iter().collect();
    if scopes.iter().count() != unique || count > 100 {
        return Err(invalid(
            FIELD,
            "expected at most 100 scopes, each of visible ASCII without quotes, backslashes and spaces",
        ));
    }
    Ok((!scopes.is_empty()).then_some(scopes))
}

/// https, or http on this machine: the person's browser goes there with the connection's id.
fn return_url(text: &str) -> Result<Url, AssetError> {
    let refused = || {
        invalid(
            "return_url",
            "expected an https URL, or http on loopback, without user name and fragment",
        )
    };
    let url = Url::parse(text).map_err(|_| refused())?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let fits = (url.scheme() == "https" || url.scheme() == "http" && loopback)
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && text.len() <= LONGEST_URL;
    if fits { Ok(url) } else { Err(refused()) }
}

fn already(connection: &Connection) -> AssetError {
    AssetError::AlreadyConnected {
        alias: connection.alias.to_string(),
        ref_id: connection.id.to_string(),
    }
}

fn invalid(field: &'static str, problem: impl Into<String>) -> AssetError {
    AssetError::Invalid {
        field: field.into(),
        problem: problem.into(),
    }
}

/// Only so much of what a caller sent is repeated to it.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
