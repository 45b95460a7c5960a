//! The canary: a known text, sealed with each key that the brain has seen.

use secrecy::{ExposeSecret, SecretString};
use sqlx::SqliteConnection;
use userengine_api::key::Kid;

use super::{Store, StoreError};
use crate::vault::{Place, SealError, Sealed, SealedColumn, Token, UnsealError, Vault};

const TEXT: &str = "a brain and its ring fit";

pub(super) fn seal(vault: &Vault, kid: &Kid) -> Result<Sealed, SealError> {
    vault.seal(kid, &place(kid), &SecretString::from(TEXT))
}

/// Opens the canary of one key.
pub(super) async fn open(
    brain: &mut SqliteConnection,
    vault: &Vault,
    kid: &Kid,
) -> Result<(), StoreError> {
    let name = kid.as_str();
    let token = sqlx::query_scalar!("SELECT sealed FROM key_canary WHERE kid = ?", name)
        .fetch_optional(brain)
        .await
        .map_err(StoreError::sqlite("read the canary"))?
        .ok_or(StoreError::Inconsistent("the write key has no canary"))?;
    let sealed = Sealed {
        kid: kid.clone(),
        token: Token::try_from(token)?,
    };
    let text = vault.open(&sealed, &place(kid))?;
    if text.expose_secret() == TEXT {
        Ok(())
    } else {
        Err(UnsealError::NotAnEnvelope.into())
    }
}

fn place(kid: &Kid) -> Place {
    Place::new(SealedColumn::KeyCanary, kid.as_str())
}

impl Store {
    /// Opens the canary of the write key, as it lies on the volume now.
    pub async fn open_canary(&self, vault: &Vault, write_kid: &Kid) -> Result<(), StoreError> {
        let mut brain = self.read().await?;
        open(&mut brain, vault, write_kid).await
    }
}
