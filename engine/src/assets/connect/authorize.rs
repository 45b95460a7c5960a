//! Begin an authorization: find the provider, choose a client, remember the flow, give the URL.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::{Connected, Wanted, client, unreachable};
use crate::assets::credential::audience;
use crate::assets::grant::{Grant, sha256};
use crate::assets::{AssetError, Connection, Directory};
use crate::catalog::Entry;
use crate::domain::{AuthMethod, ConnectionStatus, Scopes};
use crate::failpoint;
use crate::mcp::{Credential, CredentialSource, McpError, Session, Target};
use crate::oauth::{self, Challenge, OauthError};
use crate::store::{ConnectionState, Flow, Writing};
use crate::vault::{Place, SealedColumn};

/// How long a person has.
const FLOW_LIFETIME: Duration = Duration::from_mins(10);
/// Authorizations in progress at once; the oldest one makes room.
const MOST_FLOWS: u32 = 20;
/// For the request whose refusal tells where to go.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// What a flow has to remember. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::assets) struct FlowRequest {
    pub(in crate::assets) grant: Grant,
    /// The server that will get the tokens.
    pub(in crate::assets) audience: String,
    /// What was asked for: granted, if the provider does not say otherwise (RFC 6749 §5.1).
    pub(in crate::assets) scopes: Scopes,
}

/// An authorization, ready to be remembered.
pub(in crate::assets) struct Prepared {
    pub(in crate::assets) request: FlowRequest,
    pub(in crate::assets) url: Url,
    state: SecretString,
    verifier: SecretString,
    return_url: Option<Url>,
}

/// Begins an authorization for a new connection or for one that is to come back.
pub(super) async fn begin(directory: &Directory, wanted: Wanted) -> Result<Connected, AssetError> {
    let existing = wanted.existing(directory)?;
    let had = existing.as_ref().map(|connection| connection.state());
    let had = had.map(|state| state.scopes.union(&state.missing_scopes));
    let mut prepared = prepare(
        directory,
        &wanted.entry,
        wanted.scopes.as_ref(),
        had.as_ref(),
    )
    .await?;
    prepared.return_url = wanted.return_url.clone();
    let _one = directory.connecting().await;
    let connection = match wanted.existing(directory)? {
        Some(connection) => {
            remember(directory, &connection, &prepared).await?;
            connection
        }
        None => remember_new(directory, &wanted, &prepared).await?,
    };
    failpoint::hit("connect.flow_stored");
    Ok(Connected {
        id: connection.id.clone(),
        status: ConnectionStatus::PendingOauth,
        auth_url: Some(prepared.url),
    })
}

/// Everything up to the URL. `had` is what the connection has been granted or was refused for before: the union is asked
/// for, so that a step up takes nothing away.
pub(in crate::assets) async fn prepare(
    directory: &Directory,
    entry: &Entry,
    asked: Option<&Scopes>,
    had: Option<&Scopes>,
) -> Result<Prepared, AssetError> {
    let redirect_uri = oauth::callback_url(&directory.config);
    let oauth_failed =
        |error: OauthError| AssetError::oauth_failed(&entry.name, &error, error.to_string());
    let Some(server) = entry.endpoint.url() else {
        return Err(oauth_failed(OauthError::Unusable(
            "a child process has no authorization server".to_owned(),
        )));
    };
    let challenge = challenge(directory, entry).await?;
    let provider = oauth::discover(&directory.egress, server, challenge.as_ref(), &entry.oauth)
        .await
        .map_err(oauth_failed)?;
    let (client, known) = client::choose(directory, entry, &provider, &redirect_uri).await?;
    let scopes = asked.unwrap_or(&provider.scopes).clone();
    let scopes = had.map_or_else(|| scopes.clone(), |had| scopes.union(had));
    let state = state_of(directory.config.name.as_deref())?;
    let text = secrecy::ExposeSecret::expose_secret(&state);
    let authorization =
        oauth::authorize(&provider, &client, &redirect_uri, text, &scopes).map_err(oauth_failed)?;
    // Should the provider refuse this URL, the person never comes back: then this line is what helps.
    tracing::info!(
        server = %entry.name, issuer = provider.issuer, client = known.origin.as_str(), callback_url = %redirect_uri,
        "an authorization begins: the provider must know this callback URL"
    );
    Ok(Prepared {
        request: FlowRequest {
            grant: Grant {
                provider,
                client: known,
                redirect_uri,
            },
            audience: audience(&entry.endpoint),
            scopes,
        },
        url: authorization.url,
        state,
        verifier: authorization.verifier,
        return_url: None,
    })
}

/// A request without a credential, to be refused: the refusal names the authorization server and the scopes.
async fn challenge(directory: &Directory, entry: &Entry) -> Result<Option<Challenge>, AssetError> {
    let target = Target {
        endpoint: entry.endpoint.clone(),
        credentials: Arc::new(Nobody),
        label: entry.name.to_string(),
    };
    match Session::open(&directory.egress, target, PROBE_LIMIT).await {
        Ok(session) => {
            session.close().await;
            Ok(None)
        }
        Err(
            McpError::Unauthorized { challenge, .. } | McpError::InsufficientScope { challenge },
        ) => Ok(Some(*challenge)),
        Err(error @ (McpError::Fetch(_) | McpError::RateLimited { .. })) => {
            Err(unreachable(entry.name.as_str(), &error))
        }
        // Whatever else it said, it may still have metadata at the well-known places.
        Err(_) => Ok(None),
    }
}

#[derive(Debug)]
struct Nobody;

impl CredentialSource for Nobody {
    fn credential(&self) -> Result<Option<Credential>, String> {
        Ok(None)
    }
}

/// 256 random bits, behind the engine's name where a relay has to find it.
fn state_of(engine: Option<&str>) -> Result<SecretString, AssetError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| AssetError::NoRandomness)?;
    let nonce = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    Ok(match engine {
        Some(engine) => SecretString::from(format!("{engine}.{}", *nonce)),
        None => SecretString::from(nonce.as_str()),
    })
}

/// Adds the connection and its flow together.
async fn remember_new(
    directory: &Directory,
    wanted: &Wanted,
    prepared: &Prepared,
) -> Result<Arc<Connection>, AssetError> {
    let identity = directory.new_identity(&wanted.entry.name, &wanted.alias)?;
    let state = ConnectionState::pending(AuthMethod::Oauth);
    let mut writing = directory.store.write().await?;
    writing.insert_connection(&identity, &state).await?;
    let until = insert_flow(directory, &mut writing, &identity.id, prepared).await?;
    writing.commit().await?;
    let connection = directory.add(identity, state);
    connection.set_pending_until(Some(until));
    directory.wake();
    Ok(connection)
}

/// Adds a flow to a connection that is there.
pub(in crate::assets) async fn remember(
    directory: &Directory,
    connection: &Connection,
    prepared: &Prepared,
) -> Result<Timestamp, AssetError> {
    let mut writing = directory.store.write().await?;
    let until = insert_flow(directory, &mut writing, &connection.id, prepared).await?;
    writing.commit().await?;
    connection.set_pending_until(Some(until));
    directory.wake();
    Ok(until)
}

async fn insert_flow(
    directory: &Directory,
    writing: &mut Writing,
    connection: &crate::domain::ConnectionId,
    prepared: &Prepared,
) -> Result<Timestamp, AssetError> {
    let state_hash = sha256(secrecy::ExposeSecret::expose_secret(&prepared.state));
    let place = Place::new(SealedColumn::OauthFlowVerifier, state_hash.clone());
    let verifier = writing
        .seal(&directory.vault, &place, &prepared.verifier)
        .await?;
    let Ok(request) = serde_json::to_string(&prepared.request) else {
        unreachable!("strings and URLs are JSON")
    };
    let created_at = directory.now();
    let expires_at = created_at + FLOW_LIFETIME;
    let flow = Flow {
        state_hash,
        connection: connection.clone(),
        verifier,
        request,
        return_url: prepared.return_url.as_ref().map(Url::to_string),
        created_at,
        expires_at,
    };
    writing.insert_flow(&flow, MOST_FLOWS).await?;
    Ok(expires_at)
}
