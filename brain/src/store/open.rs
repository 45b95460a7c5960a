//! The way in: lock, look, and only then touch.

use std::path::Path;

use sqlx::SqliteConnection;
use userengine_api::key::Kid;

use super::connect::{self, checkpoint};
use super::create::{Birth, create};
use super::examine::{Expected, check_owner, check_structure, examine};
use super::identity::{self, LeftBehind};
use super::lock::BrainLock;
use super::paths::{BrainPaths, Found};
use super::private_copy::{PLACES, PrivateCopy};
use super::writer::Writer;
use super::{BrainConfig, BrainMode};
use super::{OpenError, Store, schema};
use crate::clock::Clock;
use crate::vault::Vault;

/// An open brain and how it came to be open.
#[derive(Debug)]
pub struct Opened {
    /// The brain.
    pub store: Store,
    /// It was made just now.
    pub created: bool,
    /// The last engine did not hand it over: it was killed, or lost its volume.
    pub recovered: bool,
}

/// Opens the brain, or makes it where that is allowed. A volume that is refused stays as it was, byte
/// for byte and name for name: everything up to the lock only reads.
pub async fn open(config: &BrainConfig, vault: &Vault, clock: &Clock) -> Result<Opened, OpenError> {
    let paths = BrainPaths::new(&config.path);
    let expected = Expected {
        database_id: config.database_id.as_ref(),
        vault,
        rows: true,
    };

    let lock = BrainLock::take_existing(&paths.lock)?;
    let found = paths.look()?;
    if found.brain {
        examine_untouched(&paths.brain, found, expected, &PLACES).await?;
        paths.check_writable()?;
    } else {
        may_create(config.mode, found, vault)?;
    }
    let lock = match lock {
        Some(lock) => lock,
        None => BrainLock::take(&paths.lock)?,
    };

    // Until the lock was ours another engine may have been here.
    let found = paths.look()?;
    if !found.brain {
        let kid = may_create(config.mode, found, vault)?;
        let database_id = config.database_id.as_ref();
        create(
            &paths,
            &Birth {
                database_id,
                vault,
                kid,
                clock,
            },
        )
        .await?;
    }
    let (mut writer, left_behind) = open_to_write(&paths.brain, expected).await?;
    let identity = identity::read(&mut writer)
        .await
        .map_err(|error| OpenError::storage("read the brain's identity", error))?;
    let reader = connect::reader(&paths.brain);
    let recovered = found.unfinished || left_behind == LeftBehind::Nothing;
    let store = Store {
        writer: Writer::new(writer),
        reader,
        identity,
        _lock: lock,
    };
    Ok(Opened {
        store,
        created: !found.brain,
        recovered,
    })
}

/// A new brain is made only on purpose: never for a ring of several keys, which belongs to a brain
/// that exists, and never beside the remains of another.
fn may_create(mode: BrainMode, found: Found, vault: &Vault) -> Result<&Kid, OpenError> {
    if mode == BrainMode::Existing {
        return Err(OpenError::Missing(
            "BRAIN_MODE is existing, so none is created: was the volume emptied or swapped?",
        ));
    }
    if found.unfinished {
        return Err(OpenError::Missing(
            "its write-ahead log is still there, so it was lost: restore it from a backup",
        ));
    }
    vault.only().ok_or(OpenError::Missing(
        "a ring of several keys belongs to a brain that exists, so none is created",
    ))
}

/// Below this size the structure is checked at every start; above, only after an unclean stop.
const SMALL: u64 = 16 * 1024 * 1024;

/// Looks into the brain without leaving a trace on the volume.
pub(super) async fn examine_untouched(
    brain: &Path,
    found: Found,
    expected: Expected<'_>,
    places: &[&str],
) -> Result<(), OpenError> {
    let bytes = brain
        .metadata()
        .map_err(|error| OpenError::storage("look at the brain", error))?
        .len();
    if bytes == 0 {
        return Err(OpenError::Foreign("it is empty".to_owned()));
    }
    if !found.unfinished {
        let mut connection = connect::immutable(brain).await?;
        examine(&mut connection, expected).await?;
        return if bytes <= SMALL {
            check_structure(&mut connection).await
        } else {
            Ok(())
        };
    }
    // Its last writes are in the log, and SQLite cannot read a log without writing beside it.
    match PrivateCopy::of(brain, places) {
        Ok(copy) => {
            let mut connection = connect::to_copy(&copy.brain()).await?;
            examine(&mut connection, expected).await?;
            check_structure(&mut connection).await
        }
        Err(error) => {
            tracing::warn!(%error, "no room for a copy of the brain: what its log says is checked after recovery");
            // Identity and first schema were checkpointed at birth: these the main file alone can tell.
            check_owner(&mut connect::immutable(brain).await?, expected.database_id).await
        }
    }
}

/// Opens the brain for good. From here on the volume is written to.
async fn open_to_write(
    brain: &Path,
    expected: Expected<'_>,
) -> Result<(SqliteConnection, LeftBehind), OpenError> {
    let mut connection = connect::writer(brain).await?;
    examine(&mut connection, expected).await?;
    schema::migrate(&mut connection).await?;
    let left_behind = identity::begin_session(&mut connection).await?;
    match checkpoint(&mut connection).await {
        Ok(true) => {}
        Ok(false) => return Err(OpenError::Locked),
        Err(error) => return Err(OpenError::sqlite("checkpoint the brain", error)),
    }
    Ok((connection, left_behind))
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions, Executor};
    use userengine_api::key::{EncryptionKey, KEY_BYTES};

    use super::*;
    use crate::domain::DatabaseId;
    use crate::ring::Ring;
    use crate::ring::RingConfig;

    fn id(text: &str) -> DatabaseId {
        text.to_owned().try_into().unwrap()
    }

    #[tokio::test]
    async fn without_room_for_a_copy_the_owner_is_still_checked_before_the_first_write() {
        let folder = tempfile::tempdir().unwrap();
        let brain = folder.path().join("brain.sqlite");
        let clock = Clock::system();
        let key = EncryptionKey::from_bytes([1; KEY_BYTES]);
        let vault = Vault::new(&Ring::load(RingConfig::Single(key)).unwrap(), clock.clone());
        let config = BrainConfig {
            path: brain.clone(),
            mode: BrainMode::Create,
            database_id: Some(id("mine")),
        };
        let opened = open(&config, &vault, &clock).await.unwrap();
        opened.store.hand_over(&clock).await.unwrap();
        // As long as this connection is open its write is in the log only.
        let mut other = connect::options(&brain).connect().await.unwrap();
        other
            .execute("UPDATE key_state SET epoch = 1")
            .await
            .unwrap();
        let found = BrainPaths::new(&brain).look().unwrap();
        assert!(found.unfinished);

        let (mine, other) = (id("mine"), id("other"));
        let as_mine = Expected {
            database_id: Some(&mine),
            vault: &vault,
            rows: true,
        };
        let as_other = Expected {
            database_id: Some(&other),
            vault: &vault,
            rows: true,
        };
        for places in [&PLACES[..], &["/nowhere"]] {
            assert!(
                examine_untouched(&brain, found, as_mine, places)
                    .await
                    .is_ok()
            );
            let refused = examine_untouched(&brain, found, as_other, places).await;
            assert!(matches!(refused, Err(OpenError::Foreign(_))), "{refused:?}");
        }
    }
}
