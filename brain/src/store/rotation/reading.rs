//! Reading: sealed values page by page, in the order of their keys, so that memory stays flat.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use userengine_api::key::Kid;

use crate::store::lock::BrainLock;
use crate::store::paths::BrainPaths;
use crate::store::{OpenError, StoreError, connect};
use crate::vault::SealedColumn;

/// Sealed values in one page, and in one transaction.
const PAGE: u32 = 1000;

/// A connection that only reads.
#[derive(Debug)]
pub struct Reading(SqliteConnection);

/// A sealed value as it lies in the brain, whatever is wrong with it.
#[derive(Debug, Clone)]
pub struct RawRow {
    /// The row's id.
    pub row: String,
    /// The key that is said to have sealed it.
    pub kid: String,
    /// What should be a token.
    pub token: Vec<u8>,
}

/// Which values are wanted.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// All.
    All,
    /// Those that are not sealed with this key.
    NotUnder(&'a Kid),
}

impl Reading {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self(connection)
    }

    /// A brain with nothing in its log, while nobody has it open. `None` if that is not so.
    pub async fn of_quiet(brain: &Path) -> Result<Option<Self>, OpenError> {
        let paths = BrainPaths::new(brain);
        let Some(_lock) = BrainLock::take_existing(&paths.lock)? else {
            return Ok(None);
        };
        let found = paths.look()?;
        if !found.brain || found.unfinished {
            return Ok(None);
        }
        Ok(Some(Self(connect::immutable(brain).await?)))
    }

    pub(super) fn brain(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }

    /// The next page of a column, after this row. Fewer rows than [`Reading::page_size`] are the last page.
    pub async fn page(
        &mut self,
        column: SealedColumn,
        after: Option<&str>,
        which: Which<'_>,
    ) -> Result<Vec<RawRow>, StoreError> {
        let (table, key, token) = (column.table(), column.key(), column.column());
        let beyond = if after.is_some() { "> ?1" } else { "IS NOT ?1" };
        let off = match which {
            Which::All => "",
            Which::NotUnder(_) => "AND kid IS NOT ?2",
        };
        let query = sqlx::query(AssertSqlSafe(format!(
            "SELECT {key}, kid, CAST({token} AS BLOB) FROM {table}
             WHERE {token} IS NOT NULL AND {key} {beyond} {off} ORDER BY {key} LIMIT {PAGE}"
        )));
        let query = query.bind(after);
        let query = match which {
            Which::All => query,
            Which::NotUnder(kid) => query.bind(kid.as_str()),
        };
        let rows = query.fetch_all(&mut self.0).await;
        let parse = |row: &sqlx::sqlite::SqliteRow| {
            Ok(RawRow {
                row: row.try_get(0)?,
                kid: row.try_get(1)?,
                token: row.try_get(2)?,
            })
        };
        rows.and_then(|rows| rows.iter().map(parse).collect())
            .map_err(StoreError::sqlite("read sealed values"))
    }

    /// Most rows in a page.
    pub fn page_size() -> usize {
        PAGE as usize
    }

    /// Counts the values of a column in another way than [`Reading::page`] finds them.
    pub async fn count(&mut self, column: SealedColumn) -> Result<u64, StoreError> {
        let (table, token) = (column.table(), column.column());
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT({token}) FROM {table}")))
                .fetch_one(&mut self.0)
                .await
                .map_err(StoreError::sqlite("count the sealed values"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Ends it, before somebody writes or takes the log away.
    pub async fn close(self) -> Result<(), StoreError> {
        self.0
            .close()
            .await
            .map_err(StoreError::sqlite("end reading"))
    }
}
