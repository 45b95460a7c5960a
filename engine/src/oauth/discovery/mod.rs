//! From the URL of an MCP server to its authorization server.

mod document;
mod resource;
mod scopes;
mod server;
mod well_known;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;

use url::Url;

use self::resource::Resource;
use self::scopes::Known;
use self::server::Issuer;
use super::{Challenge, OauthError, Provider};
use crate::catalog::OauthSettings;
use crate::egress::Egress;

/// Finds the authorization server of an MCP server, from its challenge or the well-known places.
///
/// A server without metadata of its own (revision 2025-03-26) is its own authorization server, unless the catalog names one.
/// Endpoints are never guessed.
pub async fn discover(
    http: &Egress,
    server: &Url,
    challenge: Option<&Challenge>,
    settings: &OauthSettings,
) -> Result<Provider, OauthError> {
    let resource = resource::find(http, server, challenge).await?;
    let issuer = choose_issuer(resource.as_ref(), server, settings.issuer.as_ref())?;
    let found = server::find(http, &issuer).await?;
    let scopes = scopes::choose(Known {
        challenge: challenge.and_then(|challenge| challenge.scope.as_ref()),
        catalog: Some(&settings.scopes).filter(|scopes| !scopes.is_empty()),
        resource: resource.as_ref().and_then(|it| it.scopes.as_ref()),
        server: found.scopes.as_ref(),
    });
    Ok(Provider {
        issuer: found.issuer,
        resource: resource.map_or_else(|| resource::identifier_of(server), |it| it.identifier),
        authorization_endpoint: found.authorization_endpoint,
        token_endpoint: found.token_endpoint,
        registration_endpoint: found.registration_endpoint,
        revocation_endpoint: found
            .revocation_endpoint
            .or_else(|| settings.revocation_url.clone()),
        client_id_metadata_documents: found.client_id_metadata_documents,
        sends_iss: found.sends_iss,
        token_endpoint_auth_methods: found.token_endpoint_auth_methods,
        scopes,
        known_scopes: found.scopes.unwrap_or_default(),
    })
}

/// The issuer that the resource names and the catalog does not contradict; of several the catalog's, else the first.
fn choose_issuer(
    resource: Option<&Resource>,
    server: &Url,
    pinned: Option<&Url>,
) -> Result<Issuer, OauthError> {
    let named = resource.map_or(&[][..], |it| &it.authorization_servers);
    match (named.first(), pinned) {
        (None, Some(pinned)) => Ok(Issuer::at(pinned)),
        (None, None) => Ok(Issuer::at(&root_of(server))),
        (Some(first), None) => Issuer::named(first),
        (Some(_), Some(pinned)) => named
            .iter()
            .filter_map(|text| Issuer::named(text).ok())
            .find(|issuer| issuer.url() == pinned)
            .ok_or_else(|| {
                OauthError::unusable(
                    "the server names another authorization server than the catalog's oauth.issuer",
                )
            }),
    }
}

fn root_of(server: &Url) -> Url {
    let mut root = server.clone();
    root.set_path("/");
    root.set_query(None);
    root.set_fragment(None);
    root
}
