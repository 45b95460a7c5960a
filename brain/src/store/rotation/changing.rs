//! Writing: values are replaced only by whoever has the current epoch, and only if they are still what was opened.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use userengine_api::key::Kid;

use crate::store::{StoreError, connect};
use crate::vault::{Sealed, SealedColumn, Token};

/// The connection that writes.
#[derive(Debug)]
pub struct Changing(SqliteConnection);

/// One value to be replaced.
#[derive(Debug)]
pub struct Swap {
    /// Where the row lies. It needs no more of a name: what was opened opens in that row alone.
    pub cursor: String,
    /// What was opened.
    pub old: Sealed,
    /// The same, sealed anew.
    pub new: Token,
}

impl Changing {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self(connection)
    }

    pub(super) fn brain(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }

    /// Replaces values in one transaction, which is one statement: token and kid change together, where both are still
    /// what was opened, and only under this epoch. Gives how many were replaced.
    pub async fn swap(
        &mut self,
        column: SealedColumn,
        to: &Kid,
        epoch: u64,
        swaps: &[Swap],
    ) -> Result<u64, StoreError> {
        let mut query = sqlx::query(AssertSqlSafe(statement(column, swaps.len())))
            // One size is prepared once; the odd one at a column's end is not kept.
            .persistent(swaps.len() == super::Reading::page_size())
            .bind(to.as_str());
        for swap in swaps {
            query = query
                .bind(&swap.cursor)
                .bind(swap.old.token.as_str())
                .bind(swap.old.kid.as_str())
                .bind(swap.new.as_str());
        }
        let done = query
            .bind(i64::try_from(epoch).unwrap_or(i64::MAX))
            .execute(&mut self.0)
            .await
            .map_err(StoreError::sqlite("replace sealed values"))?;
        Ok(done.rows_affected())
    }

    /// The epoch in the brain. Another than ours: another run has taken over.
    pub async fn epoch(&mut self) -> Result<u64, StoreError> {
        let epoch = sqlx::query_scalar!("SELECT epoch FROM key_state WHERE id = 1")
            .fetch_one(&mut self.0)
            .await
            .map_err(StoreError::sqlite("read the epoch"))?;
        Ok(u64::try_from(epoch).unwrap_or_default())
    }

    /// Values that are not sealed with this key.
    pub async fn left(&mut self, column: SealedColumn, to: &Kid) -> Result<u64, StoreError> {
        let (table, token) = (column.table(), column.column());
        let left: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT COUNT(*) FROM {table} WHERE {token} IS NOT NULL AND kid IS NOT ?"
        )))
        .bind(to.as_str())
        .fetch_one(&mut self.0)
        .await
        .map_err(StoreError::sqlite("count what is left"))?;
        Ok(u64::try_from(left).unwrap_or_default())
    }

    /// Brings everything into the main file, where a copy of that file alone holds it, and closes the brain.
    async fn finish(mut self) -> Result<(), StoreError> {
        if !connect::checkpoint(&mut self.0)
            .await
            .map_err(StoreError::sqlite("checkpoint"))?
        {
            return Err(StoreError::CheckpointBusy);
        }
        self.0
            .close()
            .await
            .map_err(StoreError::sqlite("close the brain"))
    }

    /// Closes the brain after a write, with everything in the main file: also a write that failed leaves nothing in a log, so
    /// that whoever asks next can read how far it came. Its own failure is told before that of closing.
    pub async fn finish_after<T, E: From<StoreError>>(self, written: Result<T, E>) -> Result<T, E> {
        let finished = self.finish().await;
        let written = written?;
        finished?;
        Ok(written)
    }
}

fn statement(column: SealedColumn, rows: usize) -> String {
    let (table, cursor, token) = (column.table(), column.lies_by(), column.column());
    let mut text = format!("UPDATE {table} SET {token} = v.column4, kid = ? FROM (VALUES ");
    for row in 0..rows {
        let _ = write!(text, "{}(?, ?, ?, ?)", if row == 0 { "" } else { ", " });
    }
    let _ = write!(
        text,
        ") AS v WHERE {table}.{cursor} = v.column1 AND {table}.{token} = v.column2 AND {table}.kid = v.column3
         AND (SELECT epoch FROM key_state WHERE id = 1) = ?"
    );
    text
}
