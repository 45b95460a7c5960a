//! One refresh: say so, ask, store, publish.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::watch;

use super::{Failure, Outcome};
use crate::assets::credential::{self, Document};
use crate::assets::grant::Grant;
use crate::assets::{Connection, Directory, FailureReason};
use crate::domain::{ConnectionStatus, Scopes};
use crate::failpoint;
use crate::oauth::{self, OauthError, TokenSet};
use crate::store::{ConnectionState, StoreError};

/// Those who wait for the refresh wait only so long for the brain; the tokens do not.
const TRIES_BEFORE_AN_ANSWER: u32 = 4;

/// What a refresh needs, opened from the brain.
struct Opened {
    grant: Grant,
    audience: String,
    refresh_token: Option<SecretString>,
}

/// New tokens, on their way into the brain.
struct Fresh {
    generation: u64,
    document: Document,
    scopes: Option<Scopes>,
    state: Times,
}

struct Times {
    refreshed_at: jiff::Timestamp,
    expires_at: Option<jiff::Timestamp>,
}

/// Refreshes the tokens of a connection. `progress` learns when the tokens are there and cannot be stored.
pub(super) async fn run(
    directory: &Directory,
    connection: &Arc<Connection>,
    progress: &watch::Sender<Option<Outcome>>,
) -> Outcome {
    let state = connection.state();
    let opened = match open(directory, connection, &state) {
        Ok(opened) => opened,
        Err(problem) => return failed(FailureReason::Protocol, problem),
    };
    let Some(refresh_token) = &opened.refresh_token else {
        return end_without_refresh_token(directory, connection, &state).await;
    };
    match begin(directory, connection, &state).await {
        Ok(true) => {}
        Ok(false) => return Outcome::Gone,
        Err(error) => return not_begun(&error),
    }
    failpoint::hit("refresh.begun");
    let client = match directory.client(&opened.grant, &connection.server).await {
        Ok(client) => client,
        Err(problem) => return failed(FailureReason::Protocol, problem),
    };
    let asked_at = directory.now();
    let answer = oauth::refresh(
        &directory.egress,
        &opened.grant.provider,
        &client,
        refresh_token,
    )
    .await;
    failpoint::hit("refresh.answered");
    match answer {
        Ok(tokens) => {
            let fresh = fresh(&opened, &state, tokens, asked_at);
            store(directory, connection, &fresh, progress).await
        }
        Err(error) => refused(directory, connection, &state, &opened.grant, &error).await,
    }
}

fn open(
    directory: &Directory,
    connection: &Connection,
    state: &ConnectionState,
) -> Result<Opened, String> {
    let sealed = state
        .credential
        .as_ref()
        .ok_or("the connection has no credential")?;
    let grant = Grant::read(state.authorization.as_deref())?;
    match Document::open(&directory.vault, &connection.id, sealed)? {
        Document::Oauth {
            issuer,
            audience,
            refresh_token,
            ..
        } if issuer == grant.provider.issuer => Ok(Opened {
            grant,
            audience,
            refresh_token,
        }),
        Document::Oauth { .. } => Err("the stored tokens are of another issuer".to_owned()),
        Document::Static { .. } => Err("the stored credential is a static one".to_owned()),
    }
}

/// The intent: durable before the provider sees the refresh token, and only if the answer can be sealed.
async fn begin(
    directory: &Directory,
    connection: &Connection,
    state: &ConnectionState,
) -> Result<bool, StoreError> {
    let mut writing = directory.store.write().await?;
    let kid = writing.write_kid().await?;
    if !directory.vault.holds(&kid) {
        return Err(StoreError::Inconsistent("the write key is not in the ring"));
    }
    let now = directory.now();
    let begun = writing
        .begin_refresh(&connection.id, state.generation, &kid, now)
        .await?;
    writing.commit().await?;
    Ok(begun)
}

fn not_begun(error: &StoreError) -> Outcome {
    tracing::error!(%error, "failed to begin a refresh: the provider was not asked");
    match error.trouble() {
        Some(trouble) => Outcome::Unsaved(trouble),
        None => failed(
            FailureReason::Protocol,
            "the engine failed to begin it".to_owned(),
        ),
    }
}

fn fresh(
    opened: &Opened,
    state: &ConnectionState,
    tokens: TokenSet,
    asked_at: jiff::Timestamp,
) -> Fresh {
    let expires_at = tokens
        .expires_in
        .map(|seconds| crate::assets::grant::end(asked_at, seconds));
    Fresh {
        generation: state.generation,
        document: Document::Oauth {
            issuer: opened.grant.provider.issuer.clone(),
            audience: opened.audience.clone(),
            access_token: tokens.access_token,
            // An answer without a new one leaves the old one in force (RFC 6749 §6).
            refresh_token: tokens
                .refresh_token
                .or_else(|| opened.refresh_token.clone()),
        },
        scopes: tokens.scopes,
        state: Times {
            refreshed_at: asked_at,
            expires_at,
        },
    }
}

/// Stores the tokens, however long it takes: the old refresh token may be spent.
async fn store(
    directory: &Directory,
    connection: &Arc<Connection>,
    fresh: &Fresh,
    progress: &watch::Sender<Option<Outcome>>,
) -> Outcome {
    let stored = directory
        .firmly(
            "refreshed tokens",
            |tries, error| {
                if tries >= TRIES_BEFORE_AN_ANSWER {
                    let trouble = error.trouble().unwrap_or("the brain does not take it");
                    progress.send_replace(Some(Outcome::Unsaved(trouble)));
                }
            },
            || commit(directory, connection, fresh),
        )
        .await;
    failpoint::hit("refresh.stored");
    match stored {
        Some(outcome) => outcome,
        None => failed(
            FailureReason::Protocol,
            "the new tokens could not be stored".to_owned(),
        ),
    }
}

async fn commit(
    directory: &Directory,
    connection: &Arc<Connection>,
    fresh: &Fresh,
) -> Result<Outcome, StoreError> {
    let _turn = connection.turn.lock().await;
    let mut state = (*connection.state()).clone();
    let mut writing = directory.store.write().await?;
    if state.generation != fresh.generation {
        // Somebody connected it again meanwhile; those tokens are the ones that count.
        writing.end_refresh(&connection.id).await?;
        writing.commit().await?;
        return Ok(Outcome::Fresh);
    }
    let text = fresh.document.write();
    let place = credential::place(&connection.id);
    state.credential = Some(writing.seal(&directory.vault, &place, &text).await?);
    state.status = ConnectionStatus::Connected;
    state.generation += 1;
    state.refreshed_at = Some(fresh.state.refreshed_at);
    state.expires_at = fresh.state.expires_at;
    if let Some(scopes) = &fresh.scopes {
        state.scopes = scopes.clone();
    }
    (state.last_error, state.last_error_at) = (None, None);
    if !writing.save_connection(&connection.id, &state).await? {
        directory
            .revoke_later(&mut writing, connection, &state, &fresh.document)
            .await?;
        writing.commit().await?;
        directory.plan_revocation();
        return Ok(Outcome::Gone);
    }
    writing.end_refresh(&connection.id).await?;
    writing.commit().await?;
    let came_back = connection.state().status != ConnectionStatus::Connected;
    connection.publish(state);
    if came_back {
        directory.tell_connected(connection);
    }
    Ok(Outcome::Fresh)
}

async fn end_without_refresh_token(
    directory: &Directory,
    connection: &Arc<Connection>,
    state: &ConnectionState,
) -> Outcome {
    let early = state.expires_at.is_some_and(|at| directory.now() < at);
    let (status, why) = if early {
        (
            ConnectionStatus::Revoked,
            "the server took the token back before its end",
        )
    } else {
        (
            ConnectionStatus::Expired,
            "the token has ended, and the provider gave none to refresh it with",
        )
    };
    end(
        directory,
        connection,
        state.generation,
        status,
        why.to_owned(),
    )
    .await
}

/// The provider said no, or nothing.
async fn refused(
    directory: &Directory,
    connection: &Arc<Connection>,
    state: &ConnectionState,
    grant: &Grant,
    error: &OauthError,
) -> Outcome {
    let client_is_gone = matches!(error, OauthError::Refused { code, .. } if code == "invalid_client" || code == "unauthorized_client")
        && grant.client.is_registered();
    if client_is_gone {
        directory.forget_client(grant).await;
    }
    if error.grant_is_over() || client_is_gone {
        return end(
            directory,
            connection,
            state.generation,
            ConnectionStatus::Expired,
            error.to_string(),
        )
        .await;
    }
    let failure = Failure::from(error);
    directory.note_failure(connection, &failure.problem).await;
    Outcome::Failed(failure)
}

async fn end(
    directory: &Directory,
    connection: &Arc<Connection>,
    generation: u64,
    status: ConnectionStatus,
    why: String,
) -> Outcome {
    match directory.end(connection, generation, status, &why).await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, "failed to store the end of a credential");
            failed(FailureReason::Protocol, why)
        }
    }
}

fn failed(reason: FailureReason, problem: String) -> Outcome {
    Outcome::Failed(Failure {
        reason,
        problem,
        asked: None,
    })
}
