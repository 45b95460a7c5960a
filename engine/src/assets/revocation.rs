//! Revocation (RFC 7009) of tokens whose connection is gone: tried for up to a day.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::credential::Document;
use super::grant::Grant;
use super::refresh::chance;
use super::{AuditKind, Connection, Directory, Record};
use crate::failpoint;
use crate::oauth::{self, Client, OauthError};
use crate::store::{ConnectionState, PendingRevocation, StoreError, Writing};
use crate::vault::{Place, SealedColumn};

const GIVE_UP_AFTER: Duration = Duration::from_hours(24);
const FIRST_DELAY: Duration = Duration::from_secs(5);
const LONGEST_DELAY: Duration = Duration::from_hours(1);

/// What is sealed: all that the request needs, for connection, registration and catalog entry may be gone by then.
#[derive(Serialize, Deserialize)]
struct Request {
    endpoint: Url,
    client_id: String,
    client_secret: Option<String>,
    auth_method: String,
    access_token: String,
    refresh_token: Option<String>,
}

impl Directory {
    /// Adds the tokens to those that are to be revoked. `false` if there is nobody to revoke them.
    pub(super) async fn revoke_later(
        &self,
        writing: &mut Writing,
        connection: &Connection,
        state: &ConnectionState,
        document: &Document,
    ) -> Result<bool, StoreError> {
        let Some(request) = self.revocation(connection, state, document).await else {
            return Ok(false);
        };
        let id = random_id();
        let Ok(text) = serde_json::to_string(&request).map(SecretString::from) else {
            unreachable!("strings and URLs are JSON")
        };
        let request = writing.seal(&self.vault, &place(&id), &text).await?;
        let now = self.now();
        let revocation = PendingRevocation {
            id,
            connection: connection.id.clone(),
            server: connection.server.clone(),
            request,
            attempts: 0,
            next_at: now,
            give_up_at: now + GIVE_UP_AFTER,
        };
        writing.insert_revocation(&revocation).await?;
        Ok(true)
    }

    async fn revocation(
        &self,
        connection: &Connection,
        state: &ConnectionState,
        document: &Document,
    ) -> Option<Request> {
        let Document::Oauth {
            issuer,
            access_token,
            refresh_token,
            ..
        } = document
        else {
            return None;
        };
        let grant = Grant::read(state.authorization.as_deref()).ok()?;
        if *issuer != grant.provider.issuer {
            return None;
        }
        let catalog = self.catalog.current();
        let by_hand = catalog
            .servers
            .get(&connection.server)
            .and_then(|entry| entry.oauth.revocation_url.clone());
        let endpoint = by_hand.or_else(|| grant.provider.revocation_endpoint.clone())?;
        let client = self.client(&grant, &connection.server).await.ok()?;
        let copy = |secret: &SecretString| secret.expose_secret().to_owned();
        Some(Request {
            endpoint,
            client_id: client.id,
            client_secret: client.secret.as_ref().map(copy),
            auth_method: client.auth_method,
            access_token: copy(access_token),
            refresh_token: refresh_token.as_ref().map(copy),
        })
    }

    /// Tries everything that is due. Gives when the next is.
    pub(super) async fn revoke_due(&self) -> Option<Timestamp> {
        match self.try_all_due().await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "failed to read or store what is to be revoked");
                Some(self.now() + FIRST_DELAY)
            }
        }
    }

    async fn try_all_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.now();
        for pending in self.store.pending_revocations().await? {
            if pending.next_at <= now && !self.is_stopping() {
                self.revoke_one(&pending).await?;
            }
        }
        let left = self.store.pending_revocations().await?;
        Ok(left.first().map(|pending| pending.next_at))
    }

    async fn revoke_one(&self, pending: &PendingRevocation) -> Result<(), StoreError> {
        let outcome = match self.vault.open(&pending.request, &place(&pending.id)) {
            Ok(text) => match serde_json::from_str(text.expose_secret()) {
                // A stop does not wait for it: the row is still there at the next start.
                Ok(request) => tokio::select! {
                    outcome = ask(self, request) => outcome,
                    () = self.stopping() => return Ok(()),
                },
                Err(_) => Err(OauthError::Malformed(
                    "a stored revocation has an unknown form",
                )),
            },
            Err(error) => Err(OauthError::Unusable(error.to_string())),
        };
        failpoint::hit("revocation.answered");
        let attempts = pending.attempts.saturating_add(1);
        let over = self.now() >= pending.give_up_at;
        let mut writing = self.store.write().await?;
        match outcome {
            Ok(()) => self.close(&mut writing, pending, "ok", None).await?,
            Err(error) if over || is_final(&error) => {
                let why = error.to_string();
                tracing::warn!(ref_id = %pending.connection, why, "gave up revoking tokens: revoke them at the provider by hand");
                self.close(&mut writing, pending, "error", Some(why))
                    .await?;
            }
            Err(error) => {
                let wait = delay(attempts, &error);
                tracing::debug!(%error, ref_id = %pending.connection, again_in = ?wait, "failed to revoke tokens");
                let next_at = self.now() + wait;
                writing
                    .postpone_revocation(&pending.id, attempts, next_at.min(pending.give_up_at))
                    .await?;
            }
        }
        writing.commit().await?;
        failpoint::hit("revocation.stored");
        Ok(())
    }

    async fn close(
        &self,
        writing: &mut Writing,
        pending: &PendingRevocation,
        outcome: &'static str,
        why: Option<String>,
    ) -> Result<(), StoreError> {
        writing.delete_revocation(&pending.id).await?;
        let mut record = Record::new(AuditKind::Revocation)
            .of(&pending.connection, &pending.server)
            .outcome(outcome);
        if let Some(why) = why {
            record = record.detail("problem", why);
        }
        writing.audit(&[record.at(self.now())]).await
    }
}

/// The refresh token first: with it the grant ends, and at most providers the access token, too (RFC 7009 §2.1).
async fn ask(directory: &Directory, request: Request) -> Result<(), OauthError> {
    let client = Client {
        id: request.client_id,
        secret: request.client_secret.map(SecretString::from),
        auth_method: request.auth_method,
        expires_at: None,
    };
    let tokens = [
        (request.refresh_token, "refresh_token"),
        (Some(request.access_token), "access_token"),
    ];
    for (token, hint) in tokens {
        let Some(token) = token.map(SecretString::from) else {
            continue;
        };
        match oauth::revoke(&directory.egress, &request.endpoint, &client, &token, hint).await {
            // Some providers revoke refresh tokens only (RFC 7009 §2.2.1).
            Err(OauthError::Refused { code, .. }) if code == "unsupported_token_type" => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Would the provider say the same tomorrow?
fn is_final(error: &OauthError) -> bool {
    matches!(error, OauthError::Refused { .. } | OauthError::Unusable(_))
}

fn delay(attempts: u32, error: &OauthError) -> Duration {
    let asked = match error {
        OauthError::Unwell { retry_after, .. } => retry_after.map(Duration::from_secs),
        _ => None,
    };
    let doubled = FIRST_DELAY.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    let jittered = doubled.min(LONGEST_DELAY).mul_f64(0.9 + 0.2 * chance());
    jittered.max(asked.unwrap_or_default().min(LONGEST_DELAY))
}

fn place(id: &str) -> Place {
    Place::new(SealedColumn::PendingRevocation, id)
}

/// Ids need not be secret, only different.
fn random_id() -> String {
    let part = || getrandom::u64().unwrap_or_default();
    format!("{:016x}{:016x}", part(), part())
}
