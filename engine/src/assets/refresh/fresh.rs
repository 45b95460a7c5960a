//! New tokens, from the provider's answer to the state that everybody sees.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Outcome;
use super::attempt::{Opened, failed};
use crate::assets::credential::{self, Document};
use crate::assets::grant::end;
use crate::assets::{Connection, Directory, FailureReason};
use crate::domain::{ConnectionStatus, Scopes};
use crate::failpoint;
use crate::oauth::TokenSet;
use crate::store::StoreError;

/// Those who wait for the refresh wait only so long for the brain; the tokens do not.
const TRIES_BEFORE_AN_ANSWER: u32 = 4;

/// New tokens, on their way into the brain.
pub(super) struct Fresh {
    /// The generation that they follow.
    generation: u64,
    document: Document,
    scopes: Option<Scopes>,
    refreshed_at: Timestamp,
    expires_at: Option<Timestamp>,
}

impl Fresh {
    pub(super) fn new(
        opened: &Opened,
        generation: u64,
        tokens: TokenSet,
        asked_at: Timestamp,
    ) -> Self {
        Self {
            generation,
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
            refreshed_at: asked_at,
            expires_at: tokens.expires_in.map(|seconds| end(asked_at, seconds)),
        }
    }

    /// Stores the tokens, however long it takes: the old refresh token may be spent.
    pub(super) async fn store(
        &self,
        directory: &Directory,
        connection: &Arc<Connection>,
        progress: &watch::Sender<Option<Outcome>>,
    ) -> Outcome {
        let report = |tries, error: &StoreError| {
            if tries >= TRIES_BEFORE_AN_ANSWER {
                let trouble = error.trouble().unwrap_or("the brain does not take it");
                progress.send_replace(Some(Outcome::Unsaved(trouble)));
            }
        };
        let stored = directory
            .firmly("refreshed tokens", report, || {
                self.commit(directory, connection)
            })
            .await;
        failpoint::hit("refresh.stored");
        stored.unwrap_or_else(|| {
            failed(
                FailureReason::Protocol,
                "the new tokens could not be stored".to_owned(),
            )
        })
    }

    async fn commit(
        &self,
        directory: &Directory,
        connection: &Arc<Connection>,
    ) -> Result<Outcome, StoreError> {
        let _turn = connection.turn.lock().await;
        let mut state = (*connection.state()).clone();
        let mut writing = directory.store.write().await?;
        if state.generation != self.generation {
            // Somebody connected it again meanwhile; those tokens are the ones that count.
            writing.end_refresh(&connection.id).await?;
            writing.commit().await?;
            return Ok(Outcome::Fresh);
        }
        let text = self.document.write();
        let place = credential::place(&connection.id);
        state.credential = Some(writing.seal(&directory.vault, &place, &text).await?);
        state.status = ConnectionStatus::Connected;
        state.generation += 1;
        state.refreshed_at = Some(self.refreshed_at);
        state.expires_at = self.expires_at;
        if let Some(scopes) = &self.scopes {
            state.scopes = scopes.clone();
        }
        (state.last_error, state.last_error_at) = (None, None);
        if !writing.save_connection(&connection.id, &state).await? {
            directory
                .revoke_later(&mut writing, connection, &state, &self.document)
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
}
