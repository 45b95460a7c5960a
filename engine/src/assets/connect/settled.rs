//! Connect with a credential that is at hand, or without one: `connected` means that the server has accepted it.

use std::sync::Arc;
use std::time::Duration;

use super::{Connected, Wanted, unreachable};
use crate::assets::credential::{self, Document, audience, carried};
use crate::assets::{AssetError, Connection, Directory};
use crate::catalog::Entry;
use crate::domain::{AuthMethod, ConnectionStatus};
use crate::failpoint;
use crate::mcp::{Credential, CredentialSource, McpError, Session, Target};
use crate::store::ConnectionState;

/// For the handshake, and again for the list of tools.
const LIMIT: Duration = Duration::from_secs(15);

/// A credential that is tried before it is stored.
struct Candidate {
    credential: Option<Credential>,
}

impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Candidate")
    }
}

impl CredentialSource for Candidate {
    fn credential(&self) -> Result<Option<Credential>, String> {
        Ok(self.credential.clone())
    }
}

/// Tries the credential and stores it if the server takes it.
pub(super) async fn connect(
    directory: &Directory,
    wanted: Wanted,
) -> Result<Connected, AssetError> {
    let document = wanted.credential.clone().map(|value| Document::Static {
        audience: audience(&wanted.entry.endpoint),
        value,
    });
    let credential = document
        .as_ref()
        .map(|document| carried(document, &wanted.entry, 0));
    let source = Arc::new(Candidate { credential });
    verify(directory, &wanted.entry, source, wanted.alias.as_str()).await?;
    failpoint::hit("connect.verified");
    // One at a time from here, so that an alias goes to one of two.
    let _one = directory.connecting().await;
    let connection = match wanted.existing(directory)? {
        Some(connection) => {
            store_again(directory, &connection, &wanted, document.as_ref()).await?;
            connection
        }
        None => store_new(directory, &wanted, document.as_ref()).await?,
    };
    failpoint::hit("connect.stored");
    connection.traffic.reset();
    directory.plan(&connection);
    directory.tell_connected(&connection);
    Ok(Connected {
        id: connection.id.clone(),
        status: ConnectionStatus::Connected,
        auth_url: None,
    })
}

/// Opens a session and lists the tools: some servers let anybody in and ask only then.
async fn verify(
    directory: &Directory,
    entry: &Entry,
    credentials: Arc<dyn CredentialSource>,
    alias: &str,
) -> Result<(), AssetError> {
    let target = Target {
        endpoint: entry.endpoint.clone(),
        credentials,
        label: alias.to_owned(),
    };
    let tried = async {
        let session = Session::open(&directory.egress, target, LIMIT).await?;
        let listed = session.list_tools(LIMIT).await;
        session.close().await;
        listed
    };
    match tried.await {
        Ok(_) => Ok(()),
        Err(error) if is_refusal(&error) => Err(AssetError::CredentialRejected(alias.to_owned())),
        Err(error) => Err(unreachable(alias, &error)),
    }
}

fn is_refusal(error: &McpError) -> bool {
    matches!(
        error,
        McpError::Unauthorized { .. }
            | McpError::InsufficientScope { .. }
            | McpError::Status {
                status: 401 | 403,
                ..
            }
    )
}

async fn store_new(
    directory: &Directory,
    wanted: &Wanted,
    document: Option<&Document>,
) -> Result<Arc<Connection>, AssetError> {
    let identity = directory.new_identity(&wanted.entry.name, &wanted.alias)?;
    let mut state = ConnectionState::pending(wanted.entry.auth_method);
    let mut writing = directory.store.write().await?;
    if let Some(document) = document {
        let place = credential::place(&identity.id);
        let sealed = writing
            .seal(&directory.vault, &place, &document.write())
            .await?;
        state.credential = Some(sealed);
    }
    settle(&mut state, directory);
    writing.insert_connection(&identity, &state).await?;
    writing.commit().await?;
    Ok(directory.add(identity, state))
}

async fn store_again(
    directory: &Directory,
    connection: &Arc<Connection>,
    wanted: &Wanted,
    document: Option<&Document>,
) -> Result<(), AssetError> {
    let _turn = connection.turn.lock().await;
    let mut state = ConnectionState {
        generation: connection.state().generation,
        ..ConnectionState::pending(wanted.entry.auth_method)
    };
    let mut writing = directory.store.write().await?;
    if let Some(document) = document {
        let place = credential::place(&connection.id);
        let sealed = writing
            .seal(&directory.vault, &place, &document.write())
            .await?;
        state.credential = Some(sealed);
    }
    settle(&mut state, directory);
    if !writing.save_connection(&connection.id, &state).await? {
        return Err(AssetError::ConnectionNotFound(connection.id.to_string()));
    }
    writing.end_refresh(&connection.id).await?;
    writing.commit().await?;
    connection.publish(state);
    Ok(())
}

fn settle(state: &mut ConnectionState, directory: &Directory) {
    state.status = ConnectionStatus::Connected;
    state.generation += 1;
    state.connected_at = Some(directory.now());
}

impl Directory {
    /// A 401 to a credential that cannot be renewed: does the server refuse it for good? Asked once more before a person
    /// has to bring it again.
    pub(in crate::assets) async fn verify_again(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<(), AssetError> {
        let entry = self.entry(connection)?;
        let state = connection.state();
        let credentials = self.credential_source(connection);
        let verified = verify(self, &entry, credentials, connection.alias.as_str()).await;
        match verified {
            Err(AssetError::CredentialRejected(_)) if state.auth_method == AuthMethod::Static => {
                let why = "the server no longer accepts the credential";
                self.end(connection, state.generation, ConnectionStatus::Revoked, why)
                    .await?;
                Err(connection.ended())
            }
            Err(AssetError::CredentialRejected(_)) => Err(AssetError::ConnectionFailed {
                alias: connection.alias.to_string(),
                reason: crate::assets::FailureReason::Protocol,
                retry_after: None,
                problem:
                    "the server asks for a credential, and the catalog says that it needs none"
                        .to_owned(),
            }),
            other => other,
        }
    }
}
