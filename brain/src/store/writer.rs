//! The one connection that writes, and whose turn it is.
//!
//! No pool: a pool asks each connection that it gets back whether it still answers, which costs a write a tenth of its
//! time, and takes one for being in a transaction that SQLite has long ended by itself
//! (<https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>).

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};
use tokio::time::timeout;

use super::connect::BUSY_TIMEOUT;

/// The connection until it is closed, for one user at a time, in the order in which they came.
#[derive(Debug)]
pub(super) struct Writer(Arc<Mutex<Option<Writable>>>);

/// The connection in the hands of whoever's turn it is.
pub(super) type Turn = OwnedMappedMutexGuard<Option<Writable>, Writable>;

#[derive(Debug)]
pub(super) struct Writable {
    connection: SqliteConnection,
    /// A transaction was begun, and it is not known that it ended.
    in_transaction: bool,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        let writable = Writable {
            connection,
            in_transaction: false,
        };
        Self(Arc::new(Mutex::new(Some(writable))))
    }

    /// Waits for the users before, and undoes what the last of them did not commit.
    pub(super) async fn turn(&self) -> Result<Turn, sqlx::Error> {
        let place = timeout(BUSY_TIMEOUT, self.0.clone().lock_owned()).await;
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let turn = OwnedMutexGuard::try_map(place, Option::as_mut);
        let mut turn = turn.map_err(|_| sqlx::Error::PoolClosed)?;
        turn.undo().await;
        Ok(turn)
    }

    /// Closes the connection after the last user. Whoever comes later finds it closed.
    pub(super) async fn close(&self) -> Result<(), sqlx::Error> {
        match self.0.lock().await.take() {
            Some(writable) => writable.connection.close().await,
            None => Ok(()),
        }
    }
}

impl Writable {
    /// Begins a transaction that writes. Not committed, it is undone before the next turn.
    pub(super) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.in_transaction = true;
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Makes it all durable.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        self.in_transaction = false;
        Ok(())
    }

    async fn undo(&mut self) {
        if self.in_transaction {
            // An error means that SQLite was faster.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
            self.in_transaction = false;
        }
    }
}

impl Deref for Writable {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Writable {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
