//! The clients that were registered with providers dynamically (RFC 7591).

use jiff::Timestamp;

use super::writing::{parse_time, sealed, time};
use super::{Store, StoreError, Writing};
use crate::vault::Sealed;

/// A registered client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredClient {
    /// Made from issuer and redirect URI, so that a secret that was moved to another issuer does not open there.
    pub id: String,
    /// Who knows the client.
    pub issuer: String,
    /// Where the client is redirected to.
    pub redirect_uri: String,
    /// Client id, authentication method and expiry. JSON, nothing secret.
    pub registration: String,
    /// Its sealed secret, if it has one.
    pub client_secret: Option<Sealed>,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl Store {
    /// The client with this id.
    pub async fn registered_client(
        &self,
        id: &str,
    ) -> Result<Option<RegisteredClient>, StoreError> {
        let mut brain = self.read().await?;
        let row = sqlx::query!(
            "SELECT issuer, redirect_uri, registration, client_secret, kid, created_at FROM oauth_clients WHERE id = ?",
            id
        )
        .fetch_optional(&mut *brain)
        .await
        .map_err(StoreError::sqlite("read a registered client"))?;
        let Some(row) = row else { return Ok(None) };
        let client_secret = match (row.client_secret, row.kid) {
            (Some(token), Some(kid)) => Some(sealed(token, &kid)?),
            _ => None,
        };
        Ok(Some(RegisteredClient {
            id: id.to_owned(),
            issuer: row.issuer,
            redirect_uri: row.redirect_uri,
            registration: row.registration,
            client_secret,
            created_at: parse_time(&row.created_at)?,
        }))
    }
}

impl Writing {
    /// Stores a client in the place of the one before.
    pub async fn put_registered_client(
        &mut self,
        client: &RegisteredClient,
    ) -> Result<(), StoreError> {
        let secret = client.client_secret.as_ref();
        let token = secret.map(|sealed| sealed.token.as_str());
        let kid = secret.map(|sealed| sealed.kid.as_str());
        let created_at = time(client.created_at);
        sqlx::query!(
            "INSERT OR REPLACE INTO oauth_clients (id, issuer, redirect_uri, registration, client_secret, kid, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            client.id,
            client.issuer,
            client.redirect_uri,
            client.registration,
            token,
            kid,
            created_at
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("store a registered client"))?;
        Ok(())
    }

    /// Forgets a client, unless another registration has taken its place.
    pub async fn delete_registered_client(
        &mut self,
        id: &str,
        client_id: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "DELETE FROM oauth_clients WHERE id = ? AND registration ->> 'id' = ?",
            id,
            client_id
        )
        .execute(self.brain())
        .await
        .map_err(StoreError::sqlite("forget a registered client"))?;
        Ok(())
    }
}
