//! The way in: the engine's own lock, the engine's own checks, and recovery where the engine did not hand over.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::OnceCell;

use super::{Changing, Reading};
use crate::store::examine::{Expected, check_structure, examine};
use crate::store::lock::BrainLock;
use crate::store::open::examine_untouched;
use crate::store::paths::{BrainPaths, Found, folder};
use crate::store::private_copy::PLACES;
use crate::store::{BrainConfig, OpenError, connect, schema};
use crate::vault::Vault;

/// A brain whose engine is stopped. Nobody else gets at it while this value lives.
#[derive(Debug)]
pub struct Halted {
    brain: PathBuf,
    recovered: bool,
    bytes: u64,
    whole: OnceCell<()>,
    _lock: BrainLock,
}

impl Halted {
    /// Takes the lock and refuses what an engine would refuse, but for the keys of the rows: whoever opens them all meets
    /// each. What the last engine left in a log or journal is brought home, and nothing else is written.
    pub async fn enter(config: &BrainConfig, vault: &Vault) -> Result<Self, OpenError> {
        let paths = BrainPaths::new(&config.path);
        let expected = Expected {
            database_id: config.database_id.as_ref(),
            vault,
            rows: false,
        };
        if !paths.look()?.brain {
            return Err(OpenError::Missing("was the volume emptied or swapped?"));
        }
        paths.check_writable()?;
        let lock = match BrainLock::take_existing(&paths.lock)? {
            Some(lock) => lock,
            None => BrainLock::take(&paths.lock)?,
        };
        let found = paths.look()?;
        examine_untouched(&paths.brain, found, expected, &PLACES).await?;
        let recovered = !was_handed_over(&paths.brain, found).await?;
        if recovered {
            recover(&paths, expected).await?;
        }
        let bytes = paths.brain.metadata();
        Ok(Self {
            bytes: bytes
                .map_err(|error| OpenError::storage("look at the brain", error))?
                .len(),
            brain: paths.brain,
            recovered,
            whole: OnceCell::new(),
            _lock: lock,
        })
    }

    /// The engine had not handed the brain over, so it was recovered.
    pub fn recovered(&self) -> bool {
        self.recovered
    }

    /// Bytes of the brain's file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that are free on the volume.
    pub fn room(&self) -> Result<u64, OpenError> {
        let volume = statvfs(folder(&self.brain))
            .map_err(|error| OpenError::storage("look at the volume's room", error))?;
        Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
    }

    /// Looks for damage in the whole file, once: nothing is written before. May run beside what only reads.
    async fn check_whole(&self) -> Result<(), OpenError> {
        let check = || async {
            let mut brain = connect::immutable(&self.brain).await?;
            check_structure(&mut brain).await?;
            close(brain).await
        };
        self.whole.get_or_try_init(check).await.copied()
    }

    /// Does the work beside a look at the whole file. What fails in a damaged brain fails for that reason, and a look that
    /// failed ends the work at once: nothing is written after it, whatever a second look would say.
    pub async fn while_checked<T, E: From<OpenError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let whole = async { Ok::<_, E>(self.check_whole().await?) };
        let work = async { Ok(work.await) };
        let ((), done) = tokio::try_join!(whole, work)?;
        done
    }

    /// Looks at the brain as it is, without a trace on the volume. Ends before the first write.
    pub async fn look(&self) -> Result<Reading, OpenError> {
        Ok(Reading::new(connect::immutable(&self.brain).await?))
    }

    /// Looks at the brain while it is being written to.
    pub async fn follow(&self) -> Result<Reading, OpenError> {
        let options = connect::options(&self.brain).read_only(true);
        let connection = options.connect().await;
        connection
            .map(Reading::new)
            .map_err(|error| OpenError::sqlite("read the brain", error))
    }

    /// Opens the brain to write, and brings it to this binary's schema.
    pub async fn change(&self) -> Result<Changing, OpenError> {
        self.check_whole().await?;
        let mut connection = open_to_write(&self.brain).await?;
        schema::migrate(&mut connection).await?;
        Ok(Changing::new(connection))
    }
}

/// Also what is freed is overwritten: a token under the key before must not stay behind in a page that nobody uses.
async fn open_to_write(brain: &Path) -> Result<SqliteConnection, OpenError> {
    let options = connect::options(brain)
        .create_if_missing(false)
        .pragma("secure_delete", "ON")
        // Some batches a checkpoint, about 16 MiB of log: pages that batches share are brought home once.
        .pragma("wal_autocheckpoint", "4000");
    connect::to_write(options)
        .await
        .map_err(|error| OpenError::sqlite("open the brain", error))
}

/// Its row is there and nothing is left in a log.
async fn was_handed_over(brain: &Path, found: Found) -> Result<bool, OpenError> {
    if found.unfinished {
        return Ok(false);
    }
    let mut connection = connect::immutable(brain).await?;
    let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM handover")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| OpenError::sqlite("read the hand-over row", error))?;
    close(connection).await?;
    Ok(rows > 0)
}

/// SQLite recovers when it first reads.
async fn recover(paths: &BrainPaths, expected: Expected<'_>) -> Result<(), OpenError> {
    tracing::warn!("the engine did not hand the brain over: recovering it");
    let mut connection = open_to_write(&paths.brain).await?;
    examine(&mut connection, expected).await?;
    match connect::checkpoint(&mut connection).await {
        Ok(true) => {}
        Ok(false) => return Err(OpenError::Locked),
        Err(error) => return Err(OpenError::sqlite("checkpoint the brain", error)),
    }
    close(connection).await?;
    if paths.look()?.unfinished {
        return Err(OpenError::storage(
            "recover the brain",
            std::io::Error::other("its log is still there"),
        ));
    }
    crate::failpoint::hit("rotation.recovered");
    Ok(())
}

async fn close(connection: SqliteConnection) -> Result<(), OpenError> {
    let closed = connection.close().await;
    closed.map_err(|error| OpenError::sqlite("close the brain", error))
}
