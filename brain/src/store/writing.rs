//! One transaction that writes: everything that belongs together is stored together, or not at all.

use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::SqliteConnection;
use userengine_api::key::Kid;

use super::writer::Turn;
use super::{Store, StoreError, key_state};
use crate::vault::{Place, Sealed, Vault};

/// An open transaction. Dropped without [`Writing::commit`] it changes nothing.
#[derive(Debug)]
pub struct Writing {
    turn: Turn,
}

impl Store {
    /// Begins to write. There is one writer, so this waits for the transaction before.
    pub async fn write(&self) -> Result<Writing, StoreError> {
        let mut turn = self.turn().await?;
        turn.begin()
            .await
            .map_err(StoreError::sqlite("begin to write"))?;
        Ok(Writing { turn })
    }
}

impl Writing {
    /// Makes it all durable.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.turn
            .commit()
            .await
            .map_err(StoreError::sqlite("commit"))
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
        &mut self.turn
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::domain::{AuthMethod, ConnectionId, ServerName};
    use crate::ring::{Ring, RingConfig};
    use crate::store::{BrainConfig, BrainMode, ConnectionIdentity, ConnectionState, open};

    async fn store(folder: &tempfile::TempDir) -> Store {
        let key = userengine_api::key::EncryptionKey::from_bytes([1; 32]);
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let ring = Ring::load(RingConfig::Single(key)).unwrap();
        let config = BrainConfig {
            path: folder.path().join("brain.sqlite"),
            mode: BrainMode::Create,
            database_id: None,
        };
        let vault = Vault::new(&ring, clock.clone());
        open(&config, &vault, &clock).await.unwrap().store
    }

    /// Adds a connection whose last error takes a page of its own.
    async fn add(store: &Store, number: u8) -> Result<(), StoreError> {
        let name = |text: String| ServerName::try_from(text).unwrap();
        let identity = ConnectionIdentity {
            id: ConnectionId::from_random([number; 20]),
            server: name("server".to_owned()),
            alias: name(format!("alias-{number}")),
            created_at: Timestamp::UNIX_EPOCH,
        };
        let state = ConnectionState {
            last_error: Some("x".repeat(8192)),
            ..ConnectionState::pending(AuthMethod::None)
        };
        let mut writing = store.write().await?;
        writing.insert_connection(&identity, &state).await?;
        writing.commit().await
    }

    #[cfg(feature = "failpoints")]
    #[tokio::test]
    async fn a_full_volume_is_told_and_written_to_again_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        store.limit_pages(1).await.unwrap();
        // The file has a few free pages.
        let mut taken = 0;
        let error = loop {
            match add(&store, taken).await {
                Ok(()) => taken += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(
            error.trouble(),
            Some("the brain's volume is full"),
            "{error}"
        );
        store.limit_pages(u32::MAX - 1).await.unwrap();
        add(&store, taken).await.unwrap();
        assert_eq!(
            store.connections().await.unwrap().len(),
            usize::from(taken) + 1
        );
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_does_not_block_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let mut writing = store.write().await.unwrap();
        // What SQLite does when a write fails.
        sqlx::query("ROLLBACK")
            .execute(writing.brain())
            .await
            .unwrap();
        drop(writing);
        add(&store, 1).await.unwrap();
        add(&store, 2).await.unwrap();
        assert_eq!(store.connections().await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn what_is_not_committed_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        add(&store, 1).await.unwrap();
        let mut writing = store.write().await.unwrap();
        let (identity, _) = store.connections().await.unwrap().remove(0);
        assert!(writing.delete_connection(&identity.id).await.unwrap());
        drop(writing);
        assert_eq!(store.connections().await.unwrap().len(), 1);
    }
}
