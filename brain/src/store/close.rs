//! The way out: hand over, checkpoint, close.

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;

use super::writer::Turn;
use super::{Store, StoreError, connect};
use crate::clock::Clock;

impl Store {
    /// Leaves the brain as the next start wants to find it: the hand-over row written, nothing in the log.
    pub async fn hand_over(&self, clock: &Clock) -> Result<(), StoreError> {
        // A reader in the middle of something would keep the log in use.
        self.reader.close().await;
        let now = clock.now().to_string();
        let mut brain = self.turn().await?;
        sqlx::query!(
            "INSERT OR REPLACE INTO handover (id, closed_at, epoch) SELECT 1, ?, epoch FROM key_state WHERE id = 1",
            now
        )
        .execute(&mut **brain)
        .await
        .map_err(StoreError::sqlite("write the hand-over row"))?;
        if !connect::checkpoint(&mut brain)
            .await
            .map_err(StoreError::sqlite("checkpoint"))?
        {
            return Err(StoreError::CheckpointBusy);
        }
        drop(brain);
        self.writer
            .close()
            .await
            .map_err(StoreError::sqlite("close the writing connection"))
    }

    /// The writing connection, after everybody who asked before.
    pub(super) async fn turn(&self) -> Result<Turn, StoreError> {
        self.writer
            .turn()
            .await
            .map_err(StoreError::sqlite("get the writing connection"))
    }

    pub(super) async fn read(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.reader
            .acquire()
            .await
            .map_err(StoreError::sqlite("get a reading connection"))
    }
}
