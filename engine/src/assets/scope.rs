//! Scope drift: a call needs more than was granted, and a person can grant it at once.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::connect::{prepare, remember};
use super::{AssetError, AuditKind, Connection, Directory, Record};
use crate::catalog::Entry;
use crate::domain::{AuthMethod, Scopes};
use crate::oauth::Challenge;

/// The authorizations for more scopes that calls have led to.
#[derive(Debug, Default)]
pub(super) struct StepUp {
    /// The one that waits for a person.
    ready: Option<Ready>,
    /// How many were begun in the hour since `since`, by the time since the start of the process.
    begun: u32,
    since: Duration,
}

#[derive(Debug, Clone)]
struct Ready {
    scopes: Scopes,
    url: Url,
    until: Timestamp,
}

/// A server that asks for more whatever it gets must not fill the provider with authorizations.
const MOST_AN_HOUR: u32 = 3;
const HOUR: Duration = Duration::from_hours(1);

impl Directory {
    /// The error of a call that was refused for want of scope, with a URL where a person grants what was granted before
    /// and what is missing. The same URL for every call until it is used or too old.
    pub async fn scope_missing(
        &self,
        connection: &Arc<Connection>,
        challenge: &Challenge,
    ) -> AssetError {
        let asked = challenge.scope.clone().unwrap_or_default();
        let state = connection.state();
        let missing = asked.without(&state.scopes);
        self.audit.record(
            Record::about(AuditKind::ScopeMissing, connection).detail("scopes", asked.to_string()),
        );
        if let Err(error) = self.note_missing(connection, &missing).await {
            tracing::warn!(%error, ref_id = %connection.id, "failed to store which scopes are missing");
        }
        // Nothing is missing that a person could grant: asking again would change nothing.
        let may_grant = !missing.is_empty() && state.auth_method == AuthMethod::Oauth;
        let auth_url = if may_grant {
            self.step_up(connection).await
        } else {
            None
        };
        AssetError::ScopeMissing {
            alias: connection.alias.to_string(),
            missing: if missing.is_empty() { asked } else { missing },
            auth_url: auth_url.map(Box::new),
        }
    }

    async fn note_missing(
        &self,
        connection: &Arc<Connection>,
        missing: &Scopes,
    ) -> Result<(), AssetError> {
        let _turn = connection.turn.lock().await;
        let mut state = (*connection.state()).clone();
        let union = state.missing_scopes.union(missing);
        if union == state.missing_scopes {
            return Ok(());
        }
        state.missing_scopes = union;
        let mut writing = self.store.write().await?;
        writing.save_connection(&connection.id, &state).await?;
        writing.commit().await?;
        connection.publish(state);
        Ok(())
    }

    async fn step_up(&self, connection: &Arc<Connection>) -> Option<Url> {
        // One at a time: whoever waited finds what the first one got.
        let _one = connection.stepping_up.lock().await;
        let state = connection.state();
        let scopes = state.scopes.union(&state.missing_scopes);
        if let Some(url) = self.ready_url(connection, &scopes) {
            return Some(url);
        }
        if !self.may_begin(connection) {
            return None;
        }
        let entry = self.entry(connection).ok()?;
        match self.begin_step_up(connection, &entry, &scopes).await {
            Ok(url) => Some(url),
            Err(error) => {
                tracing::warn!(%error, ref_id = %connection.id, "failed to begin an authorization for more scopes");
                None
            }
        }
    }

    async fn begin_step_up(
        &self,
        connection: &Arc<Connection>,
        entry: &Entry,
        scopes: &Scopes,
    ) -> Result<Url, AssetError> {
        let prepared = prepare(self, entry, Some(scopes), None).await?;
        let until = remember(self, connection, &prepared).await?;
        let ready = Ready {
            scopes: scopes.clone(),
            url: prepared.url.clone(),
            until,
        };
        let mut step_up = connection.step_up();
        step_up.ready = Some(ready);
        step_up.begun += 1;
        Ok(prepared.url)
    }

    fn ready_url(&self, connection: &Connection, scopes: &Scopes) -> Option<Url> {
        let step_up = connection.step_up();
        let ready = step_up.ready.as_ref()?;
        // A person needs some time to get through it.
        let in_time = self.now() + Duration::from_mins(1) < ready.until;
        (ready.scopes == *scopes && in_time).then(|| ready.url.clone())
    }

    fn may_begin(&self, connection: &Connection) -> bool {
        let now = self.clock.since_start();
        let mut step_up = connection.step_up();
        if now.saturating_sub(step_up.since) >= HOUR {
            (step_up.since, step_up.begun) = (now, 0);
        }
        step_up.begun < MOST_AN_HOUR
    }
}

impl Connection {
    fn step_up(&self) -> std::sync::MutexGuard<'_, StepUp> {
        self.step_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An authorization of this connection was used: its URL leads nowhere any more.
    pub(super) fn forget_step_up(&self) {
        self.step_up().ready = None;
    }
}
