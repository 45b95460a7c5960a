//! Which key seals, and which keys are in use.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use userengine_api::key::Kid;

use super::{Store, StoreError, rotation};
use crate::vault::SealedColumn;

/// Sealed values by the key they are sealed with.
pub type KeyCounts = BTreeMap<Kid, u64>;

/// What the brain says of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// The key that seals.
    pub write_kid: Kid,
    /// Sealed values by key, over all sealed columns and the quarantine: a key is needed as long as it has one.
    pub rows_by_kid: KeyCounts,
    /// When everything last opened with one key alone.
    pub last_verify: Option<LastVerify>,
}

/// A check that opened everything with one key alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastVerify {
    /// The key.
    pub kid: Kid,
    /// When.
    pub at: Timestamp,
}

const NOT_A_KID: StoreError = StoreError::Inconsistent("a key id is not 16 hex digits");

/// The key that seals. Whoever seals reads it in the transaction that stores the result.
pub(super) async fn write_kid(brain: &mut SqliteConnection) -> Result<Kid, StoreError> {
    let kid = sqlx::query_scalar!("SELECT write_kid FROM key_state WHERE id = 1")
        .fetch_optional(brain)
        .await
        .map_err(StoreError::sqlite("read the key state"))?
        .ok_or(StoreError::Inconsistent("the key state is missing"))?;
    kid.parse().map_err(|_| NOT_A_KID)
}

/// Counts the sealed values of every column in the registry. A table that an older brain lacks counts none.
pub(super) async fn rows_by_kid(brain: &mut SqliteConnection) -> Result<KeyCounts, StoreError> {
    let mut total = BTreeMap::new();
    for column in SealedColumn::ALL {
        if !has_table(brain, column.table()).await? {
            continue;
        }
        for (kid, rows) in rows_of(brain, column)
            .await
            .map_err(StoreError::sqlite("count the sealed rows"))?
        {
            let kid = kid.parse().map_err(|_| NOT_A_KID)?;
            *total.entry(kid).or_default() += u64::try_from(rows).unwrap_or_default();
        }
    }
    Ok(total)
}

/// Counts what is in quarantine.
pub(super) async fn quarantined(brain: &mut SqliteConnection) -> Result<KeyCounts, StoreError> {
    if !has_table(brain, "quarantine").await? {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(r#"SELECT kid, COUNT(*) AS "rows!: i64" FROM quarantine GROUP BY kid"#)
        .fetch_all(brain)
        .await
        .map_err(StoreError::sqlite("count the quarantine"))?;
    let count = |rows: i64| u64::try_from(rows).unwrap_or_default();
    rows.into_iter()
        .map(|row| Ok((row.kid.parse().map_err(|_| NOT_A_KID)?, count(row.rows))))
        .collect()
}

/// One checked query a column.
async fn rows_of(
    brain: &mut SqliteConnection,
    column: SealedColumn,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    match column {
        SealedColumn::KeyCanary => {
            sqlx::query!(r#"SELECT kid, COUNT(*) AS "rows!: i64" FROM key_canary GROUP BY kid"#)
                .map(|row| (row.kid, row.rows))
                .fetch_all(brain)
                .await
        }
        SealedColumn::ConnectionCredentials => {
            sqlx::query!(r#"SELECT kid AS "kid!", COUNT(*) AS "rows!: i64" FROM connections WHERE kid IS NOT NULL GROUP BY kid"#)
                .map(|row| (row.kid, row.rows))
                .fetch_all(brain)
                .await
        }
        SealedColumn::OauthClientSecret => {
            sqlx::query!(r#"SELECT kid AS "kid!", COUNT(*) AS "rows!: i64" FROM oauth_clients WHERE kid IS NOT NULL GROUP BY kid"#)
                .map(|row| (row.kid, row.rows))
                .fetch_all(brain)
                .await
        }
        SealedColumn::OauthFlowVerifier => {
            sqlx::query!(r#"SELECT kid, COUNT(*) AS "rows!: i64" FROM oauth_flows GROUP BY kid"#)
                .map(|row| (row.kid, row.rows))
                .fetch_all(brain)
                .await
        }
        SealedColumn::PendingRevocation => {
            sqlx::query!(r#"SELECT kid, COUNT(*) AS "rows!: i64" FROM pending_revocations GROUP BY kid"#)
                .map(|row| (row.kid, row.rows))
                .fetch_all(brain)
                .await
        }
    }
}

pub(super) async fn has_table(
    brain: &mut SqliteConnection,
    name: &str,
) -> Result<bool, StoreError> {
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?")
            .bind(name)
            .fetch_one(brain)
            .await
            .map_err(StoreError::sqlite("read the schema"))?;
    Ok(tables > 0)
}

impl Store {
    /// The key that seals now.
    pub async fn write_kid(&self) -> Result<Kid, StoreError> {
        let mut brain = self.read().await?;
        write_kid(&mut brain).await
    }

    /// The write key and the keys in use, from one snapshot of the brain.
    pub async fn key_report(&self) -> Result<KeyReport, StoreError> {
        let mut snapshot = self
            .reader
            .begin()
            .await
            .map_err(StoreError::sqlite("begin to read"))?;
        let write_kid = write_kid(&mut snapshot).await?;
        let mut rows_by_kid = rows_by_kid(&mut snapshot).await?;
        for (kid, rows) in quarantined(&mut snapshot).await? {
            *rows_by_kid.entry(kid).or_default() += rows;
        }
        Ok(KeyReport {
            write_kid,
            rows_by_kid,
            last_verify: rotation::last_verify(&mut snapshot).await?,
        })
    }
}
