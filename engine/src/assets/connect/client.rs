//! As whom the engine asks a provider: a client that was registered by hand, its metadata document, or a registration of
//! its own, in this order (MCP authorization specification, "Client Registration Approaches").

use url::Url;

use crate::assets::grant::{ClientOrigin, KnownClient, registration_id, secret_place};
use crate::assets::{AssetError, Directory};
use crate::catalog::Entry;
use crate::failpoint;
use crate::oauth::{self, Client, ClientChoice, OauthError, Provider};
use crate::store::RegisteredClient;

/// A client that may be used with this provider.
pub(super) async fn choose(
    directory: &Directory,
    entry: &Entry,
    provider: &Provider,
    redirect_uri: &Url,
) -> Result<(Client, KnownClient), AssetError> {
    let document = oauth::offered_client_metadata(&directory.config);
    let choice = oauth::choose_client(provider, &entry.oauth, document.as_ref());
    let (client, origin) = match choice.map_err(|error| failed(entry, &error, redirect_uri))? {
        ClientChoice::Registered(client) => (client, ClientOrigin::Catalog),
        ClientChoice::Document(client) => (client, ClientOrigin::Document),
        ClientChoice::Dynamic => (
            registered(directory, entry, provider, redirect_uri).await?,
            ClientOrigin::Registered,
        ),
    };
    let known = KnownClient::new(&client, origin);
    Ok((client, known))
}

/// Whatever the provider has against the client, the callback URL is what a person will need.
fn failed(entry: &Entry, error: &OauthError, redirect_uri: &Url) -> AssetError {
    let why = format!("{error} (the callback URL is {redirect_uri})");
    AssetError::oauth_failed(&entry.name, error, why)
}

/// The engine's own registration, made once for each issuer and redirect URI and again when it has ended.
async fn registered(
    directory: &Directory,
    entry: &Entry,
    provider: &Provider,
    redirect_uri: &Url,
) -> Result<Client, AssetError> {
    let known = directory
        .registered(&provider.issuer, redirect_uri)
        .await
        .unwrap_or_else(|problem| {
            tracing::warn!(
                problem,
                issuer = provider.issuer,
                "a stored registration cannot be used: registering anew"
            );
            None
        });
    let now = directory.now();
    if let Some(client) = known.filter(|client| client.expires_at.is_none_or(|at| now < at)) {
        return Ok(client);
    }
    let client = oauth::register(&directory.egress, provider, redirect_uri)
        .await
        .map_err(|error| failed(entry, &error, redirect_uri))?;
    failpoint::hit("connect.registered");
    store(directory, provider, redirect_uri, &client).await?;
    failpoint::hit("connect.client_stored");
    Ok(client)
}

async fn store(
    directory: &Directory,
    provider: &Provider,
    redirect_uri: &Url,
    client: &Client,
) -> Result<(), AssetError> {
    let id = registration_id(&provider.issuer, redirect_uri);
    let known = KnownClient::new(client, ClientOrigin::Registered);
    let Ok(registration) = serde_json::to_string(&known) else {
        unreachable!("strings are JSON")
    };
    let mut writing = directory.store.write().await?;
    let client_secret = match &client.secret {
        Some(secret) => Some(
            writing
                .seal(&directory.vault, &secret_place(&id), secret)
                .await?,
        ),
        None => None,
    };
    writing
        .put_registered_client(&RegisteredClient {
            id,
            issuer: provider.issuer.clone(),
            redirect_uri: redirect_uri.to_string(),
            registration,
            client_secret,
            created_at: directory.now(),
        })
        .await?;
    writing.commit().await?;
    Ok(())
}
