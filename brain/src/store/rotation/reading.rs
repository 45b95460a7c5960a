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

/// Rows that lie together, as SQLite packed them.
#[derive(Debug)]
pub struct Page {
    packed: Vec<u8>,
    rows: usize,
    last: Option<String>,
}

/// A row as it lies in the brain, whatever is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawRow<'a> {
    /// Where the next page begins if this is the last row.
    pub cursor: &'a str,
    /// The row's id.
    pub row: &'a str,
    /// The key that is said to have sealed it.
    pub kid: &'a [u8],
    /// What should be a token; `None` where nothing is sealed.
    pub token: Option<&'a [u8]>,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// All, those without a value too.
    All,
    /// Those with a value that is not sealed with this key.
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

    /// The next page of a column, after the row with this cursor, as the rows lie. `None` after the last.
    pub async fn page(
        &mut self,
        column: SealedColumn,
        after: Option<&str>,
        which: Which<'_>,
    ) -> Result<Option<Page>, StoreError> {
        let (table, key, token) = (column.table(), column.key(), column.column());
        // Neighbours on a page of the file are read, and written, together.
        let cursor = column.lies_by();
        let off = match which {
            Which::All => String::new(),
            Which::NotUnder(_) => format!("AND {token} IS NOT NULL AND kid IS NOT ?2"),
        };
        let beyond = if after.is_some() { "> ?1" } else { "IS NOT ?1" };
        // A page is one value, for a row costs two changes of thread: each field with its length before it.
        let query = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT CAST(group_concat(packed, '') AS BLOB) FROM (
                 SELECT concat(octet_length({cursor}), ' ', octet_length({key}), ' ', octet_length(kid), ' ',
                               octet_length({token}), ' ', {cursor}, {key}, kid, {token}) AS packed
                 FROM {table} WHERE {cursor} {beyond} {off} ORDER BY {cursor} LIMIT {})",
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
        packed
            .map(|packed| Page::of(packed).ok_or(MIXED_UP))
            .transpose()
    }

    /// Most rows in a page.
    pub fn page_size() -> usize {
        page_rows(PAGE) as usize
    }

    /// Counts the rows of a column in another way than [`Reading::page`] finds them: in an index, if there is one.
    pub async fn count(&mut self, column: SealedColumn) -> Result<u64, StoreError> {
        let table = column.table();
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")))
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

impl Page {
    /// `None` if it is not what was asked for.
    fn of(packed: Vec<u8>) -> Option<Self> {
        let (mut rest, mut rows, mut last) = (packed.as_slice(), 0, None);
        while !rest.is_empty() {
            last = Some(first(&mut rest)?.cursor);
            rows += 1;
        }
        Some(Self {
            last: last.map(str::to_owned),
            rows,
            packed,
        })
    }

    /// As they lie.
    pub fn rows(&self) -> impl Iterator<Item = RawRow<'_>> {
        let mut rest = self.packed.as_slice();
        std::iter::from_fn(move || first(&mut rest))
    }

    /// Where the next page begins; `None` if this is the last.
    pub fn next(&self) -> Option<&str> {
        let full = self.rows >= Reading::page_size();
        self.last.as_deref().filter(|_| full)
    }
}

/// Takes a row from what is left of a page.
fn first<'a>(packed: &mut &'a [u8]) -> Option<RawRow<'a>> {
    let (cursor, rest) = number(packed)?;
    let (row, rest) = number(rest)?;
    let (kid, rest) = number(rest)?;
    let (token, rest) = number(rest)?;
    let (cursor, rest) = rest.split_at_checked(cursor?)?;
    let (row, rest) = rest.split_at_checked(row?)?;
    let (kid, rest) = rest.split_at_checked(kid.unwrap_or_default())?;
    let (token_bytes, rest) = rest.split_at_checked(token.unwrap_or_default())?;
    *packed = rest;
    Some(RawRow {
        cursor: std::str::from_utf8(cursor).ok()?,
        row: std::str::from_utf8(row).ok()?,
        kid,
        token: token.map(|_| token_bytes),
    })
}

/// A number and the blank behind it; nothing at all before the blank is the length of NULL.
fn number(packed: &[u8]) -> Option<(Option<usize>, &[u8])> {
    let end = packed.iter().position(|byte| *byte == b' ')?;
    let (digits, rest) = packed.split_at_checked(end)?;
    let rest = rest.get(1..)?;
    if digits.is_empty() {
        return Some((None, rest));
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((Some(number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_page_apart_whatever_is_in_its_fields() {
        let page = Page::of(b"1 1 3 5 7akid 2 3 2 2 0 1 bbbb\xff1 1   8c1 1 0 0 9d".to_vec());
        let page = page.unwrap();
        let row = |cursor, row, kid, token| RawRow {
            cursor,
            row,
            kid,
            token,
        };
        assert_eq!(
            page.rows().collect::<Vec<_>>(),
            [
                row("7", "a", b"kid", Some(&b" 2 3 "[..])),
                row("bb", "bb", b"", Some(b"\xff")),
                row("8", "c", b"", None),
                row("9", "d", b"", Some(b"")),
            ]
        );
        assert_eq!((page.last.as_deref(), page.next()), (Some("9"), None));
        for broken in [
            &b"1"[..],
            b"0 1 1 1 ab",
            b"x 1 1 1 abcd",
            b"0 1 1 1 \xffbc",
            b" 1 1 1 abc",
            b"1  1 1 abc",
            b"1 1 1 1 abcd1",
        ] {
            assert!(Page::of(broken.to_vec()).is_none(), "{broken:?}");
        }
        assert_eq!(Page::of(Vec::new()).unwrap().rows().count(), 0);
    }
}
