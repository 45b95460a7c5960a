//! Is this our brain, whole, and does the ring fit? Reads only, so that it can run before anything is written.

use sqlx::SqliteConnection;

use super::key_state::KeyCounts;
use super::{OpenError, StoreError, canary, identity, key_state, schema};
use crate::domain::DatabaseId;
use crate::vault::Vault;

/// Marks our files in SQLite's header ("UEbr", <https://sqlite.org/pragma.html#pragma_application_id>).
pub(super) const APPLICATION_ID: i64 = 0x5545_6272;

/// What the brain must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) database_id: Option<&'a DatabaseId>,
    pub(super) vault: &'a Vault,
    /// The ring holds the key of every row, too. Takes a look at every row.
    pub(super) rows: bool,
}

/// Refuses a brain that is not ours, is newer than we are, or that the ring does not open.
pub(super) async fn examine(
    brain: &mut SqliteConnection,
    expected: Expected<'_>,
) -> Result<(), OpenError> {
    check_owner(brain, expected.database_id).await?;
    check_ring(brain, expected).await
}

/// Ours, of a schema that we know, and with the right id.
pub(super) async fn check_owner(
    brain: &mut SqliteConnection,
    id: Option<&DatabaseId>,
) -> Result<(), OpenError> {
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *brain)
        .await
        .map_err(|error| OpenError::sqlite("read the brain's header", error))?;
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign(
            "it is an SQLite database that no engine made".to_owned(),
        ));
    }
    let (found, known) = (schema::found(brain).await.map_err(damage)?, schema::known());
    if found > known {
        return Err(OpenError::TooNew { found, known });
    }
    let found = identity::read(brain).await.map_err(unexpected)?.database_id;
    match id {
        Some(id) if *id != found => Err(OpenError::Foreign(format!(
            "it carries the id {found}: expected DATABASE_ID {id}"
        ))),
        _ => Ok(()),
    }
}

/// Every key in use is in the ring, and the write key opens its canary.
async fn check_ring(brain: &mut SqliteConnection, expected: Expected<'_>) -> Result<(), OpenError> {
    let vault = expected.vault;
    let write_kid = key_state::write_kid(brain).await.map_err(unexpected)?;
    let rows = if expected.rows {
        key_state::rows_by_kid(brain).await.map_err(unexpected)?
    } else {
        KeyCounts::new()
    };
    if let Some(kid) = std::iter::once(&write_kid)
        .chain(rows.keys())
        .find(|kid| !vault.holds(kid))
    {
        return Err(OpenError::KeyNotHeld(kid.clone()));
    }
    match canary::open(brain, vault, &write_kid).await {
        Err(StoreError::Canary(source)) => Err(OpenError::Canary {
            kid: write_kid,
            source,
        }),
        outcome => outcome.map_err(unexpected),
    }
}

/// Looks for damage in the structure of the file. Takes about a millisecond a megabyte.
pub(super) async fn check_structure(brain: &mut SqliteConnection) -> Result<(), OpenError> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(brain)
        .await
        .map_err(|error| OpenError::sqlite("check the brain", error))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(OpenError::Corrupt(verdict))
    }
}

/// In a brain of ours a missing table is damage, and so is a missing row.
fn unexpected(error: StoreError) -> OpenError {
    match error {
        StoreError::Sqlite { source, .. } => damage(source),
        error => OpenError::Corrupt(error.to_string()),
    }
}

fn damage(error: sqlx::Error) -> OpenError {
    let no_such_table = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "1");
    if no_such_table {
        OpenError::Corrupt(error.to_string())
    } else {
        OpenError::sqlite("read the brain", error)
    }
}
