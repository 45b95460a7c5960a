//! Which scopes to ask for (MCP authorization specification, "Scope Selection Strategy").

use crate::domain::Scopes;

/// Asks for a refresh token (OpenID Connect Core 1.0 §11).
const OFFLINE_ACCESS: &str = "offline_access";

/// What is known of scopes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known<'a> {
    /// The server's challenge: what this request needs.
    pub challenge: Option<&'a Scopes>,
    /// The catalog: what the platform wants.
    pub catalog: Option<&'a Scopes>,
    /// The resource's metadata: what basic use needs.
    pub resource: Option<&'a Scopes>,
    /// The authorization server's metadata: what it knows.
    pub server: Option<&'a Scopes>,
}

/// The challenge and the catalog together, else what the resource lists, else nothing. The catalog never takes away what
/// the server insists on, and a challenge never takes away what the platform wants.
pub(super) fn choose(known: Known<'_>) -> Scopes {
    let wanted = match (known.challenge, known.catalog) {
        (Some(challenge), Some(catalog)) => challenge.union(catalog),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => known.resource.cloned().unwrap_or_default(),
    };
    let offline = known
        .server
        .is_some_and(|scopes| scopes.contains(OFFLINE_ACCESS));
    // Alone it would ask for less than nothing: a server that is asked for no scope grants its default.
    if offline && !wanted.is_empty() {
        wanted.union(&Scopes::parse(OFFLINE_ACCESS))
    } else {
        wanted
    }
}
