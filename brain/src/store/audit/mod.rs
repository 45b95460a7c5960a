//! The audit rows.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::SqliteConnection;

use super::{Store, StoreError, Writing};

/// A row to store. Serialised, it is what the statements below take apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewAuditRow {
    /// When it happened: RFC 3339 in UTC with milliseconds, so that text and time sort alike.
    pub at: String,
    /// What happened.
    pub kind: &'static str,
    /// The connection, by id.
    pub ref_id: Option<String>,
    /// The catalog's name of its server.
    pub server_name: Option<String>,
    /// The tool's full name.
    pub tool: Option<String>,
    /// `started`, `ok`, `error` or a code of the API.
    pub outcome: Cow<'static, str>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// The request that caused it.
    pub request_id: Option<String>,
    /// More about it, by kind.
    pub details: Map<String, Value>,
}

/// How a call ended whose row was stored before it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditOutcome {
    /// The row.
    pub id: i64,
    /// `ok`, `error` or a code of the API.
    pub outcome: Cow<'static, str>,
    /// How long it took.
    pub duration_ms: u64,
    /// More about it, beside what the row has.
    pub details: Map<String, Value>,
}

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Grows with time.
    pub id: i64,
    /// When it happened.
    pub at: String,
    /// What happened.
    pub kind: String,
    /// The connection, by id.
    pub ref_id: Option<String>,
    /// The catalog's name of its server.
    pub server_name: Option<String>,
    /// The tool's full name.
    pub tool: Option<String>,
    /// `started`, `ok`, `error` or a code of the API.
    pub outcome: String,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// The request that caused it.
    pub request_id: Option<String>,
    /// More about it, as JSON.
    pub details: String,
}

impl Store {
    /// Stores rows with one durable commit. Gives their ids in the order of the rows.
    pub async fn append_audit(
        &self,
        rows: &[NewAuditRow],
    ) -> Result<RangeInclusive<i64>, StoreError> {
        append(&mut *self.turn().await?, rows).await
    }

    /// Stores rows and outcomes of earlier ones, all or nothing.
    pub async fn append_audit_and_outcomes(
        &self,
        rows: &[NewAuditRow],
        outcomes: &[AuditOutcome],
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        append(writing.brain(), rows).await?;
        complete(writing.brain(), outcomes).await?;
        writing.commit().await
    }

    /// At most `limit` rows before this id (or the newest ones), newest first.
    pub async fn audit_page(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        let mut brain = self.read().await?;
        sqlx::query_as!(
            AuditRow,
            "SELECT id, at, kind, ref_id, server_name, tool, outcome, duration_ms, request_id, details
             FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
            before,
            limit
        )
        .fetch_all(&mut *brain)
        .await
        .map_err(StoreError::sqlite("read audit rows"))
    }

    /// Looks at the `chunk` oldest rows and deletes those from before a time and those beyond the newest `keep`. Gives how
    /// many. The newest row of all stays, so that its id is not given again.
    pub async fn trim_audit(
        &self,
        older_than: &str,
        keep: u32,
        chunk: u32,
    ) -> Result<u64, StoreError> {
        // Ids grow by one, so the distance to the newest is the number of rows at most.
        let deleted = sqlx::query!(
            "DELETE FROM audit
             WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT ?3)
               AND (at < ?2 OR id <= (SELECT MAX(id) FROM audit) - ?1)
               AND id < (SELECT MAX(id) FROM audit)",
            keep,
            older_than,
            chunk
        )
        .execute(&mut **self.turn().await?)
        .await
        .map_err(StoreError::sqlite("trim the audit"))?;
        Ok(deleted.rows_affected())
    }
}

impl Writing {
    /// Stores rows together with what they tell of.
    pub async fn audit(&mut self, rows: &[NewAuditRow]) -> Result<(), StoreError> {
        append(self.brain(), rows).await?;
        Ok(())
    }
}

/// One statement, whatever the number of rows. It returns no rows: each would wake whoever waits before the commit is done.
async fn append(
    brain: &mut SqliteConnection,
    rows: &[NewAuditRow],
) -> Result<RangeInclusive<i64>, StoreError> {
    let json = json(rows)?;
    let stored = sqlx::query!(
        "INSERT INTO audit (at, kind, ref_id, server_name, tool, outcome, duration_ms, request_id, details)
         SELECT value ->> 'at', value ->> 'kind', value ->> 'ref_id', value ->> 'server_name', value ->> 'tool',
                value ->> 'outcome', value ->> 'duration_ms', value ->> 'request_id', value -> 'details'
         FROM json_each(?) ORDER BY key",
        json
    )
    .execute(brain)
    .await
    .map_err(StoreError::sqlite("store audit rows"))?;
    // Each row's id is one more than the highest before (<https://sqlite.org/autoinc.html>).
    let newest = stored.last_insert_rowid();
    let count = i64::try_from(stored.rows_affected()).unwrap_or(i64::MAX);
    Ok(newest - count + 1..=newest)
}

async fn complete(
    brain: &mut SqliteConnection,
    outcomes: &[AuditOutcome],
) -> Result<(), StoreError> {
    let outcomes = json(outcomes)?;
    sqlx::query!(
        "UPDATE audit SET outcome = value ->> 'outcome', duration_ms = value ->> 'duration_ms',
                details = json_patch(details, value -> 'details')
         FROM json_each(?) WHERE audit.id = value ->> 'id'",
        outcomes
    )
    .execute(brain)
    .await
    .map_err(StoreError::sqlite("store outcomes in the audit"))?;
    Ok(())
}

fn json<T: Serialize>(rows: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|_| StoreError::Inconsistent("an audit row is not JSON"))
}
