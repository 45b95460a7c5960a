//! One refresh: say so, ask, store, publish.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::watch;

use super::fresh::Fresh;
use super::refusal::{end_without_refresh_token, refused};
use super::{Failure, Outcome};
use crate::assets::credential::Document;
use crate::assets::grant::Grant;
use crate::assets::{Connection, Directory, FailureReason};
use crate::failpoint;
use crate::oauth;
use crate::store::{ConnectionState, StoreError};

/// What a refresh needs, opened from the brain.
pub(super) struct Opened {
    pub(super) grant: Grant,
    pub(super) audience: String,
    pub(super) refresh_token: Option<SecretString>,
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
            let fresh = Fresh::new(&opened, state.generation, tokens, asked_at);
            fresh.store(directory, connection, progress).await
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

/// It may work later.
pub(super) fn failed(reason: FailureReason, problem: String) -> Outcome {
    Outcome::Failed(Failure {
        reason,
        problem,
        asked: None,
    })
}
