//! Reading: sealed values page by page, in the order of their keys, so that memory stays flat.

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use userengine_api::key::Kid;

use crate::store::StoreError;
use crate::store::lock::BrainLock;
use crate::store::private_copy::PrivateCopy;
use crate::vault::SealedColumn;

/// Sealed values in one page, and in one transaction.
const PAGE: u32 = 1000;

/// A connection that only reads.
#[derive(Debug)]
pub struct Reading {
    connection: SqliteConnection,
    /// What has to live as long: the lock, or the copy that is read.
    _kept: Kept,
}

/// What a reading rests on.
#[derive(Debug)]
pub(super) enum Kept {
    /// Whoever reads sees to it.
    Nothing,
    Lock(#[expect(dead_code, reason = "held, not used")] BrainLock),
    Copy(#[expect(dead_code, reason = "held, not used")] PrivateCopy),
}

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
        Self::resting_on(connection, Kept::Nothing)
    }

    pub(super) fn resting_on(connection: SqliteConnection, kept: Kept) -> Self {
        Self {
            connection,
            _kept: kept,
        }
    }

    pub(super) fn brain(&mut self) -> &mut SqliteConnection {
        &mut self.connection
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
        let rows = query.fetch_all(&mut self.connection).await;
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
                .fetch_one(&mut self.connection)
                .await
                .map_err(StoreError::sqlite("count the sealed values"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Ends it, before somebody writes or takes the log away.
    pub async fn close(self) -> Result<(), StoreError> {
        self.connection
            .close()
            .await
            .map_err(StoreError::sqlite("end reading"))
    }
}
