//! The tokens become the connection's.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Ending;
use crate::assets::connect::FlowRequest;
use crate::assets::credential::{self, Document};
use crate::assets::grant::end;
use crate::assets::{Connection, Directory};
use crate::domain::{AuthMethod, ConnectionStatus, Scopes};
use crate::failpoint;
use crate::oauth::TokenSet;
use crate::store::StoreError;

/// Tokens on their way into the brain.
struct Granted {
    request: FlowRequest,
    document: Document,
    scopes: Scopes,
    asked_at: Timestamp,
    expires_at: Option<Timestamp>,
}

/// A person waits only so long for the brain; the tokens do not.
const TRIES_BEFORE_AN_ANSWER: u32 = 5;
const NOT_STORED: &str = "the engine could not store the tokens";

/// Stores the tokens, however long it takes: a code works once.
pub(super) async fn store(
    directory: &Directory,
    connection: &Arc<Connection>,
    request: FlowRequest,
    tokens: TokenSet,
    asked_at: Timestamp,
) -> Ending {
    let granted = Granted {
        document: Document::Oauth {
            issuer: request.grant.provider.issuer.clone(),
            audience: request.audience.clone(),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
        },
        scopes: tokens.scopes.unwrap_or_else(|| request.scopes.clone()),
        asked_at,
        expires_at: tokens.expires_in.map(|seconds| end(asked_at, seconds)),
        request,
    };
    let (answer, mut ending) = watch::channel(None);
    let (directory, connection) = (directory.clone(), connection.clone());
    let keeper = directory.clone();
    keeper.tasks().spawn(async move {
        let stored = directory
            .firmly(
                "granted tokens",
                |tries, error| {
                    if tries >= TRIES_BEFORE_AN_ANSWER {
                        let trouble = error.trouble().unwrap_or("the brain does not take it");
                        answer.send_replace(Some(Ending::Unsaved(trouble)));
                    }
                },
                || commit(&directory, &connection, &granted),
            )
            .await;
        if stored.is_none() && answer.borrow().is_some() {
            // Whoever waited was told that they would be stored.
            directory
                .note_failed_authorization(&connection, NOT_STORED)
                .await;
        }
        let ending = stored.unwrap_or_else(|| Ending::Failed(NOT_STORED.to_owned()));
        answer.send_replace(Some(ending));
    });
    let ended = ending.wait_for(Option::is_some).await;
    ended
        .ok()
        .and_then(|ending| ending.clone())
        .unwrap_or_else(|| Ending::Failed("the engine stopped".to_owned()))
}

async fn commit(
    directory: &Directory,
    connection: &Arc<Connection>,
    granted: &Granted,
) -> Result<Ending, StoreError> {
    let turn = connection.turn.lock().await;
    let mut state = (*connection.state()).clone();
    let mut writing = directory.store.write().await?;
    let place = credential::place(&connection.id);
    let text = granted.document.write();
    state.credential = Some(writing.seal(&directory.vault, &place, &text).await?);
    state.auth_method = AuthMethod::Oauth;
    state.status = ConnectionStatus::Connected;
    state.generation += 1;
    state.scopes = granted.scopes.clone();
    state.missing_scopes = state.missing_scopes.without(&granted.scopes);
    state.expires_at = granted.expires_at;
    state.authorization = Some(granted.request.grant.write());
    state.connected_at = Some(granted.asked_at);
    state.refreshed_at = None;
    (state.last_error, state.last_error_at) = (None, None);
    if !writing.save_connection(&connection.id, &state).await? {
        directory
            .revoke_later(&mut writing, connection, &state, &granted.document)
            .await?;
        writing.commit().await?;
        directory.plan_revocation();
        return Ok(Ending::Removed);
    }
    writing.end_refresh(&connection.id).await?;
    writing.commit().await?;
    failpoint::hit("callback.stored");
    connection.publish(state);
    drop(turn);
    connection.traffic.reset();
    directory.plan(connection);
    directory.tell_connected(connection);
    Ok(Ending::Connected)
}
