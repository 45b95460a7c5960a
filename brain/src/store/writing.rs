//! One transaction that writes: everything that belongs together is stored together, or not at all.

use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use userengine_api::key::Kid;

use super::{Store, StoreError, key_state};
use crate::vault::{Place, Sealed, Vault};

/// An open transaction. Dropped without [`Writing::commit`] it changes nothing.
#[derive(Debug)]
pub struct Writing {
    transaction: Transaction<'static, Sqlite>,
}

impl Store {
    /// Begins to write. There is one writer, so this waits for the transaction before.
    pub async fn write(&self) -> Result<Writing, StoreError> {
        let begun = match self.begin().await {
            // SQLite ends a transaction by itself when the disk fails, and sqlx then takes the connection for being in one
            // forever (<https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>).
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.renew_writer().await?;
                self.begin().await
            }
            begun => begun,
        };
        let transaction = begun.map_err(StoreError::sqlite("begin to write"))?;
        Ok(Writing { transaction })
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Closes the writing connection: the pool opens another.
    async fn renew_writer(&self) -> Result<(), StoreError> {
        tracing::warn!("opening the writing connection anew after a failure of the volume");
        let renewed = async { self.writer.acquire().await?.close().await };
        renewed
            .await
            .map_err(StoreError::sqlite("close the writing connection"))
    }
}

impl Writing {
    /// Makes it all durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        let commit = self.transaction.commit();
        commit.await.map_err(StoreError::sqlite("commit"))
    }

    /// Seals a value with the key that seals now.
    pub async fn seal(
        &mut self,
        vault: &Vault,
        place: &Place,
        value: &SecretString,
    ) -> Result<Sealed, StoreError> {
        let kid = self.write_kid().await?;
        Ok(vault.seal(&kid, place, value)?)
    }

    /// The key that seals now.
    pub async fn write_kid(&mut self) -> Result<Kid, StoreError> {
        key_state::write_kid(self.brain()).await
    }

    pub(super) fn brain(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}

/// The one form of a time in the brain: fixed in length, so that text and time sort alike.
pub(super) fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// A time as it is stored.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Inconsistent("a time is malformed"))
}

/// A token and its kid, as they lie in two columns.
pub(super) fn sealed(token: String, kid: &str) -> Result<Sealed, StoreError> {
    let kid = kid
        .parse()
        .map_err(|_| StoreError::Inconsistent("a key id is not 16 hex digits"))?;
    Ok(Sealed {
        kid,
        token: token.try_into()?,
    })
}
