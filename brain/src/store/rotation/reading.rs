//! Reading: sealed values page by page, as they lie in the file, so that memory stays flat and no page is read twice.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use userengine_api::key::Kid;

use crate::failpoint::page_rows;
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
    /// Where the next page begins if this is the last row.
    pub cursor: String,
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

    /// The next page of a column, after the row with this cursor, as the rows lie. Fewer rows than [`Reading::page_size`]
    /// are the last page.
    pub async fn page(
        &mut self,
        column: SealedColumn,
        after: Option<&str>,
        which: Which<'_>,
    ) -> Result<Vec<RawRow>, StoreError> {
        let (table, key, token) = (column.table(), column.key(), column.column());
        // Neighbours on a page of the file are read, and written, together.
        let cursor = column.lies_by();
        let off = match which {
            Which::All => "",
            Which::NotUnder(_) => "AND kid IS NOT ?2",
        };
        let beyond = if after.is_some() { "> ?1" } else { "IS NOT ?1" };
        // A page is one value, for a row costs two changes of thread: each field with its length before it.
        let query = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT CAST(group_concat(packed, '') AS BLOB) FROM (
                 SELECT concat(octet_length({cursor}), ' ', octet_length({key}), ' ', octet_length(kid), ' ',
                               octet_length({token}), ' ', {cursor}, {key}, kid, {token}) AS packed
                 FROM {table} WHERE {token} IS NOT NULL AND {cursor} {beyond} {off} ORDER BY {cursor} LIMIT {})",
            Self::page_size()
        )));
        let query = query.bind(after);
        let query = match which {
            Which::All => query,
            Which::NotUnder(kid) => query.bind(kid.as_str()),
        };
        let packed: Option<Vec<u8>> = query
            .fetch_one(&mut self.connection)
            .await
            .map_err(StoreError::sqlite("read sealed values"))?;
        unpack(&packed.unwrap_or_default()).ok_or(MIXED_UP)
    }

    /// Most rows in a page.
    pub fn page_size() -> usize {
        page_rows(PAGE) as usize
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

const MIXED_UP: StoreError = StoreError::Inconsistent("a page of sealed values is malformed");

/// Takes a page apart. `None` if it is not what was asked for.
fn unpack(mut packed: &[u8]) -> Option<Vec<RawRow>> {
    let mut rows = Vec::new();
    while !packed.is_empty() {
        let (cursor_bytes, rest) = number(packed)?;
        let (row_bytes, rest) = number(rest)?;
        let (kid_bytes, rest) = number(rest)?;
        let (token_bytes, rest) = number(rest)?;
        let (cursor, rest) = rest.split_at_checked(cursor_bytes)?;
        let (row, rest) = rest.split_at_checked(row_bytes)?;
        let (kid, rest) = rest.split_at_checked(kid_bytes)?;
        let (token, rest) = rest.split_at_checked(token_bytes)?;
        packed = rest;
        rows.push(RawRow {
            cursor: String::from_utf8(cursor.to_vec()).ok()?,
            row: String::from_utf8(row.to_vec()).ok()?,
            kid: String::from_utf8_lossy(kid).into_owned(),
            token: token.to_vec(),
        });
    }
    Some(rows)
}

/// A number and the blank behind it.
fn number(packed: &[u8]) -> Option<(usize, &[u8])> {
    let end = packed.iter().position(|byte| *byte == b' ')?;
    let (digits, rest) = packed.split_at_checked(end)?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_page_apart_whatever_is_in_its_fields() {
        let rows = unpack(b"1 1 3 5 7akid 2 3 2 2 0 1 bbbb\xff").unwrap();
        let fields: Vec<_> = rows
            .iter()
            .map(|raw| {
                let (cursor, row) = (raw.cursor.as_str(), raw.row.as_str());
                (cursor, row, raw.kid.as_str(), raw.token.as_slice())
            })
            .collect();
        assert_eq!(
            fields,
            [("7", "a", "kid", &b" 2 3 "[..]), ("bb", "bb", "", b"\xff")]
        );
        for broken in [&b"1"[..], b"0 1 1 1 ab", b"x 1 1 1 abcd", b"0 1 1 1 \xffbc"] {
            assert!(unpack(broken).is_none(), "{broken:?}");
        }
        assert!(unpack(b"").unwrap().is_empty());
    }
}
