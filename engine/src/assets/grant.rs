//! Who issued the tokens of a connection, and to which client.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;
use userengine_api::hex::hex;

use super::Directory;
use crate::domain::ServerName;
use crate::oauth::{Client, Provider};
use crate::vault::{Place, SealedColumn};

/// What is kept beside the tokens. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    /// The provider as it was discovered when the person consented. Tokens go to no other.
    pub(super) provider: Provider,
    /// The client that they were issued to.
    pub(super) client: KnownClient,
    /// Where the provider sends the person back to.
    pub(super) redirect_uri: Url,
}

/// A client without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownClient {
    /// Its id.
    pub(super) id: String,
    /// How it authenticates.
    pub(super) auth_method: String,
    /// Where it comes from, and so where its secret is.
    pub(super) origin: ClientOrigin,
    /// When its registration ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) expires_at: Option<Timestamp>,
}

/// Where a client comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClientOrigin {
    /// Registered by hand; the catalog has it.
    Catalog,
    /// A client metadata document: its URL is the id, and there is no secret.
    Document,
    /// Registered by the engine; the brain has it.
    Registered,
}

impl ClientOrigin {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Document => "document",
            Self::Registered => "registered",
        }
    }
}

impl KnownClient {
    pub(super) fn new(client: &Client, origin: ClientOrigin) -> Self {
        Self {
            id: client.id.clone(),
            auth_method: client.auth_method.clone(),
            origin,
            expires_at: client.expires_at,
        }
    }

    pub(super) fn is_registered(&self) -> bool {
        self.origin == ClientOrigin::Registered
    }
}

impl Grant {
    pub(super) fn read(text: Option<&str>) -> Result<Self, String> {
        text.and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| "the engine does not know who issued the tokens".to_owned())
    }

    pub(super) fn write(&self) -> String {
        let Ok(text) = serde_json::to_string(self) else {
            unreachable!("strings and URLs are JSON")
        };
        text
    }
}

impl Directory {
    /// The client of a grant, with its secret.
    pub(super) async fn client(
        &self,
        grant: &Grant,
        server: &ServerName,
    ) -> Result<Client, String> {
        let known = &grant.client;
        let secret = match known.origin {
            ClientOrigin::Document => None,
            ClientOrigin::Catalog => {
                let catalog = self.catalog.current();
                let settings = catalog.servers.get(server).map(|entry| &entry.oauth);
                match settings {
                    Some(settings) if settings.client_id.as_deref() == Some(&known.id) => {
                        settings.client_secret.clone()
                    }
                    _ => return Err(format!("the catalog no longer has the client {}", known.id)),
                }
            }
            ClientOrigin::Registered => {
                let stored = self
                    .registered(&grant.provider.issuer, &grant.redirect_uri)
                    .await?;
                match stored {
                    Some(client) if client.id == known.id => client.secret,
                    // A public client works as long as its registration does, whatever took its place here.
                    _ if known.auth_method == "none" => None,
                    _ => return Err("the engine registered anew with this provider".to_owned()),
                }
            }
        };
        Ok(Client {
            id: known.id.clone(),
            secret,
            auth_method: known.auth_method.clone(),
            expires_at: known.expires_at,
        })
    }

    /// The client that was registered with an issuer for a redirect URI.
    pub(super) async fn registered(
        &self,
        issuer: &str,
        redirect_uri: &Url,
    ) -> Result<Option<Client>, String> {
        let id = registration_id(issuer, redirect_uri);
        let stored = self.store.registered_client(&id).await;
        let Some(stored) = stored.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let known: KnownClient = serde_json::from_str(&stored.registration)
            .map_err(|_| "a stored registration has an unknown form".to_owned())?;
        let secret = match &stored.client_secret {
            Some(sealed) => {
                let opened = self.vault.open(sealed, &secret_place(&id));
                Some(
                    opened
                        .map_err(|error| format!("the client's secret does not open: {error}"))?,
                )
            }
            None => None,
        };
        Ok(Some(Client {
            id: known.id,
            secret,
            auth_method: known.auth_method,
            expires_at: known.expires_at,
        }))
    }

    /// Forgets a registration that the provider no longer knows: the next connect makes another.
    pub(super) async fn forget_client(&self, grant: &Grant) {
        let id = registration_id(&grant.provider.issuer, &grant.redirect_uri);
        let forgotten = async {
            let mut writing = self.store.write().await?;
            writing
                .delete_registered_client(&id, &grant.client.id)
                .await?;
            writing.commit().await
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, "failed to forget a client that the provider does not know");
        }
    }
}

/// The row of a registration: made from what it is for, so that its secret opens for nothing else.
pub(super) fn registration_id(issuer: &str, redirect_uri: &Url) -> String {
    sha256(&format!("{issuer}\n{redirect_uri}"))
}

pub(super) fn secret_place(id: &str) -> Place {
    Place::new(SealedColumn::OauthClientSecret, id)
}

/// SHA-256 in hex.
pub(super) fn sha256(text: &str) -> String {
    hex(Sha256::digest(text).as_slice())
}

/// The longest lifetime that is believed: ten years.
const LONGEST_LIFETIME: u64 = 10 * 365 * 24 * 60 * 60;

/// When a token ends that was asked for at `asked_at`: the answer's way back counts against it.
pub(super) fn end(asked_at: Timestamp, expires_in: u64) -> Timestamp {
    let seconds = i64::try_from(expires_in.min(LONGEST_LIFETIME)).unwrap_or_default();
    asked_at
        .saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}
