//! Connections, with every setting read back: SQLite ignores a pragma that it cannot honour.

use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Sqlite, SqliteConnection, SqlitePool};

use super::OpenError;

/// Longest wait for a lock of the file, for a connection, or for one's turn to write.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Name, SQLite's number or word for it.
const SETTINGS: [(&str, &str); 5] = [
    ("SELECT * FROM pragma_journal_mode", "wal"),
    // FULL: a commit that was answered survives a power cut, also in WAL mode.
    (
        "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous",
        "2",
    ),
    (
        "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys",
        "1",
    ),
    (
        "SELECT CAST(timeout AS TEXT) FROM pragma_busy_timeout",
        "5000",
    ),
    // MEMORY: what a statement sets aside, such as a batch of tokens, never lies in a file outside the volume.
    (
        "SELECT CAST(temp_store AS TEXT) FROM pragma_temp_store",
        "2",
    ),
];

/// Options of every connection that may write.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "MEMORY")
}

/// A connection that leaves no trace on the volume: no lock, no side file, no recovery.
pub(super) async fn immutable(path: &Path) -> Result<SqliteConnection, OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(true);
    options
        .connect()
        .await
        .map_err(|error| OpenError::sqlite("read the brain", error))
}

/// A connection to a copy of ours, which SQLite may recover as it likes.
pub(super) async fn to_copy(path: &Path) -> Result<SqliteConnection, OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false);
    options
        .connect()
        .await
        .map_err(|error| OpenError::sqlite("read a copy of the brain", error))
}

/// A connection that writes, with every setting read back.
pub(super) async fn to_write(
    options: SqliteConnectOptions,
) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    assert_settings(&mut connection).await?;
    Ok(connection)
}

/// The one connection that writes.
pub(super) async fn writer(path: &Path) -> Result<SqliteConnection, OpenError> {
    to_write(options(path).create_if_missing(false))
        .await
        .map_err(|error| OpenError::sqlite("open the brain", error))
}

/// Connections that only read, opened when first needed. They stay open: no timer wakes an idle engine, and a file needs
/// no test before use.
pub(super) fn reader(path: &Path) -> SqlitePool {
    PoolOptions::<Sqlite>::new()
        .max_connections(3)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(BUSY_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(assert_settings(connection)))
        .connect_lazy_with(options(path).read_only(true))
}

async fn assert_settings(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    for (query, expected) in SETTINGS {
        let found: String = sqlx::query_scalar(query)
            .fetch_one(&mut *connection)
            .await?;
        if found != expected {
            return Err(sqlx::Error::Configuration(
                format!("{query}: expected {expected}, found {found}").into(),
            ));
        }
    }
    Ok(())
}

/// Moves everything from the write-ahead log into the main file and empties the log.
/// `false` if another connection kept it in use.
pub(super) async fn checkpoint(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(connection)
        .await?;
    Ok(busy == 0)
}
