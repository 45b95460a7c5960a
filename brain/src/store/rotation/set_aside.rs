//! The quarantine: where a value goes that opens with no key, once somebody decided so.

use jiff::Timestamp;
use serde_json::json;
use sqlx::{AssertSqlSafe, SqliteConnection};
use userengine_api::key::Kid;

use super::Reading;
use super::log::{self, Event, Fact};
use crate::store::StoreError;
use crate::store::key_state::{self, KeyCounts};
use crate::store::writing::time;
use crate::vault::SealedColumn;

pub(super) struct SetAside<'a> {
    pub(super) column: SealedColumn,
    pub(super) row: &'a str,
    pub(super) rotation: &'a str,
    pub(super) write_kid: &'a Kid,
    pub(super) at: Timestamp,
}

/// Moves one value, byte for byte. A connection stays, to be connected again; of the rest nothing is left that would work
/// without its value, so the row goes: a client is registered anew, an authorization begun anew.
pub(super) async fn move_to_quarantine(
    brain: &mut SqliteConnection,
    aside: &SetAside<'_>,
) -> Result<(), StoreError> {
    let (table, key, column) = (
        aside.column.table(),
        aside.column.key(),
        aside.column.column(),
    );
    let failed = StoreError::sqlite("set a value aside");
    let moved = sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO quarantine (row_table, row_id, row_column, kid, token, set_aside_at, rotation)
         SELECT '{table}', {key}, '{column}', kid, {column}, ?, ? FROM {table} WHERE {key} = ? AND {column} IS NOT NULL"
    )))
    .bind(time(aside.at))
    .bind(aside.rotation)
    .bind(aside.row)
    .execute(&mut *brain)
    .await
    .map_err(failed)?;
    if moved.rows_affected() != 1 {
        return Err(StoreError::Inconsistent("a row to set aside is not there"));
    }
    match aside.column {
        SealedColumn::ConnectionCredentials => expire(brain, aside).await?,
        _ => remove(brain, aside).await?,
    }
    let name = format!("{table}/{}", aside.row);
    let fact = Fact {
        event: Event::SetAside,
        rotation: Some(aside.rotation),
        write_kid: aside.write_kid,
        details: json!({ "row": name, "column": column }).to_string(),
        at: aside.at,
    };
    log::append(brain, fact).await.map(drop)
}

async fn expire(brain: &mut SqliteConnection, aside: &SetAside<'_>) -> Result<(), StoreError> {
    let at = time(aside.at);
    sqlx::query!(
        "UPDATE connections SET credentials = NULL, kid = NULL, status = 'expired', expires_at = NULL,
                generation = generation + 1, last_error_at = ?,
                last_error = 'the credential opened with no key and was set aside: connect again'
         WHERE ref_id = ?",
        at,
        aside.row
    )
    .execute(brain)
    .await
    .map_err(StoreError::sqlite("set a credential aside"))?;
    Ok(())
}

async fn remove(brain: &mut SqliteConnection, aside: &SetAside<'_>) -> Result<(), StoreError> {
    let (table, key) = (aside.column.table(), aside.column.key());
    sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM {table} WHERE {key} = ?"
    )))
    .bind(aside.row)
    .execute(brain)
    .await
    .map_err(StoreError::sqlite("set a row aside"))?;
    Ok(())
}

impl Reading {
    /// What is in quarantine, by the key that is said to have sealed it.
    pub async fn quarantined(&mut self) -> Result<KeyCounts, StoreError> {
        key_state::quarantined(self.brain()).await
    }
}
