//! The metadata of the protected resource (RFC 9728): which authorization server speaks for an MCP server.

use url::Url;

use super::document::{self, Document};
use super::well_known;
use crate::domain::Scopes;
use crate::egress::Egress;
use crate::oauth::{Challenge, OauthError};

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    /// Its identifier, as the metadata spell it.
    pub identifier: String,
    /// Its authorization servers.
    pub authorization_servers: Vec<String>,
    /// The scopes of basic use.
    pub scopes: Option<Scopes>,
}

/// Looks where the challenge says, else in the well-known places. `None` if the server publishes nothing.
pub(super) async fn find(
    http: &Egress,
    server: &Url,
    challenge: Option<&Challenge>,
) -> Result<Option<Resource>, OauthError> {
    let named = challenge.and_then(|challenge| challenge.resource_metadata.clone());
    for place in named.into_iter().chain(well_known::of_resource(server)) {
        if let Some(document) = document::fetch(http, &place).await? {
            // A document about another resource is a mistake or an attack, never a reason to look further.
            return read(&document, server).map(Some);
        }
    }
    Ok(None)
}

/// Takes what the document says, if it speaks of this server (RFC 9728 §3.3).
pub(super) fn read(document: &Document, server: &Url) -> Result<Resource, OauthError> {
    let identifier = document
        .text("resource")
        .ok_or_else(|| OauthError::unusable("the server's metadata do not name their resource"))?;
    if !speaks_of(identifier, server) {
        return Err(OauthError::unusable(
            "the server's metadata are those of another resource than the catalog's URL",
        ));
    }
    let servers = document.texts("authorization_servers").unwrap_or_default();
    Ok(Resource {
        identifier: identifier.to_owned(),
        authorization_servers: servers.into_iter().map(str::to_owned).collect(),
        scopes: document.scopes("scopes_supported"),
    })
}

/// Is this identifier the server's URL or a parent of it, at the same origin?
fn speaks_of(identifier: &str, server: &Url) -> bool {
    let Ok(resource) = Url::parse(identifier) else {
        return false;
    };
    let bare = resource.fragment().is_none()
        && resource.username().is_empty()
        && resource.password().is_none();
    let (parent, path) = (resource.path(), server.path());
    let parent = parent.strip_suffix('/').unwrap_or(parent);
    let above = path
        .strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let same_query = resource.query().is_none() || resource.query() == server.query();
    bare && above && same_query && resource.origin() == server.origin()
}

/// The identifier of a server without metadata: its URL, without the slash of an empty path.
pub(super) fn identifier_of(server: &Url) -> String {
    let mut url = server.clone();
    url.set_fragment(None);
    let text = url.as_str();
    if url.path() == "/" && url.query().is_none() {
        text.trim_end_matches('/').to_owned()
    } else {
        text.to_owned()
    }
}
