//! Whose brain this is, and how often it was opened.

use sqlx::SqliteConnection;

use super::{OpenError, StoreError};
use crate::domain::DatabaseId;

/// The brain's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The id that the brain carries for life.
    pub database_id: DatabaseId,
    /// Opened for serving so often, this time included.
    pub open_count: u64,
}

pub(super) async fn read(brain: &mut SqliteConnection) -> Result<Identity, StoreError> {
    let row = sqlx::query!("SELECT database_id, open_count FROM brain_identity WHERE id = 1")
        .fetch_optional(brain)
        .await
        .map_err(StoreError::sqlite("read the brain's identity"))?
        .ok_or(StoreError::Inconsistent("the brain's identity is missing"))?;
    let database_id = row.database_id.try_into();
    Ok(Identity {
        database_id: database_id
            .map_err(|_| StoreError::Inconsistent("the brain's id is malformed"))?,
        open_count: u64::try_from(row.open_count).unwrap_or_default(),
    })
}

/// How the last engine left the brain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftBehind {
    /// It wrote its hand-over row.
    HandOver,
    /// It did not come to that.
    Nothing,
}

/// Counts this opening and takes the hand-over row off, in one transaction.
pub(super) async fn begin_session(brain: &mut SqliteConnection) -> Result<LeftBehind, OpenError> {
    let step = "record the start in the brain";
    let mut transaction = sqlx::Connection::begin_with(brain, "BEGIN IMMEDIATE")
        .await
        .map_err(|error| OpenError::sqlite(step, error))?;
    let handed_over = sqlx::query!("DELETE FROM handover WHERE id = 1")
        .execute(&mut *transaction)
        .await
        .map_err(|error| OpenError::sqlite(step, error))?
        .rows_affected()
        > 0;
    sqlx::query!("UPDATE brain_identity SET open_count = open_count + 1 WHERE id = 1")
        .execute(&mut *transaction)
        .await
        .map_err(|error| OpenError::sqlite(step, error))?;
    transaction
        .commit()
        .await
        .map_err(|error| OpenError::sqlite(step, error))?;
    Ok(if handed_over {
        LeftBehind::HandOver
    } else {
        LeftBehind::Nothing
    })
}
