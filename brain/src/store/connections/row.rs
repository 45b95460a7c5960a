//! A connection as it lies in its row.

use super::{ConnectionIdentity, ConnectionState};
use crate::domain::Scopes;
use crate::store::StoreError;
use crate::store::writing::{parse_time, sealed, time};

/// The columns of a state, on their way in.
pub(super) struct Written<'a> {
    pub(super) auth_method: &'static str,
    pub(super) status: &'static str,
    pub(super) scopes: String,
    pub(super) missing_scopes: String,
    pub(super) credentials: Option<&'a str>,
    pub(super) kid: Option<&'a str>,
    pub(super) generation: i64,
    pub(super) expires_at: Option<String>,
    pub(super) authorization: Option<&'a str>,
    pub(super) connected_at: Option<String>,
    pub(super) refreshed_at: Option<String>,
    pub(super) last_error: Option<&'a str>,
    pub(super) last_error_at: Option<String>,
}

impl<'a> From<&'a ConnectionState> for Written<'a> {
    fn from(state: &'a ConnectionState) -> Self {
        let credential = state.credential.as_ref();
        Self {
            auth_method: state.auth_method.as_str(),
            status: state.status.as_str(),
            scopes: state.scopes.to_string(),
            missing_scopes: state.missing_scopes.to_string(),
            credentials: credential.map(|sealed| sealed.token.as_str()),
            kid: credential.map(|sealed| sealed.kid.as_str()),
            generation: i64::try_from(state.generation).unwrap_or(i64::MAX),
            expires_at: state.expires_at.map(time),
            authorization: state.authorization.as_deref(),
            connected_at: state.connected_at.map(time),
            refreshed_at: state.refreshed_at.map(time),
            last_error: state.last_error.as_deref(),
            last_error_at: state.last_error_at.map(time),
        }
    }
}

/// All columns, on their way out.
pub(super) struct Row {
    pub(super) ref_id: String,
    pub(super) server_name: String,
    pub(super) alias: String,
    pub(super) auth_method: String,
    pub(super) status: String,
    pub(super) scopes: String,
    pub(super) missing_scopes: String,
    pub(super) credentials: Option<String>,
    pub(super) kid: Option<String>,
    pub(super) generation: i64,
    pub(super) expires_at: Option<String>,
    pub(super) authorization: Option<String>,
    pub(super) created_at: String,
    pub(super) connected_at: Option<String>,
    pub(super) refreshed_at: Option<String>,
    pub(super) last_error: Option<String>,
    pub(super) last_error_at: Option<String>,
}

impl Row {
    pub(super) fn parse(self) -> Result<(ConnectionIdentity, ConnectionState), StoreError> {
        let malformed = StoreError::Inconsistent("a connection is malformed");
        let (Ok(id), Ok(server), Ok(alias), Ok(auth_method), Ok(status)) = (
            self.ref_id.try_into(),
            self.server_name.try_into(),
            self.alias.try_into(),
            self.auth_method.parse(),
            self.status.parse(),
        ) else {
            return Err(malformed);
        };
        // A text that is no token any more stays where it is and opens nowhere: the connection is shown without it.
        let credential = match (self.credentials, self.kid) {
            (Some(token), Some(kid)) => sealed(token, &kid).ok(),
            _ => None,
        };
        let at = |text: Option<String>| text.as_deref().map(parse_time).transpose();
        let identity = ConnectionIdentity {
            id,
            server,
            alias,
            created_at: parse_time(&self.created_at)?,
        };
        let state = ConnectionState {
            auth_method,
            status,
            scopes: Scopes::parse(&self.scopes),
            missing_scopes: Scopes::parse(&self.missing_scopes),
            credential,
            generation: u64::try_from(self.generation).unwrap_or_default(),
            expires_at: at(self.expires_at)?,
            authorization: self.authorization,
            connected_at: at(self.connected_at)?,
            refreshed_at: at(self.refreshed_at)?,
            last_error: self.last_error,
            last_error_at: at(self.last_error_at)?,
        };
        Ok((identity, state))
    }
}
