//! The schema and its versions.

use sqlx::SqliteConnection;
use sqlx::migrate::{MigrateError, Migrator};

use super::OpenError;

static MIGRATOR: Migrator = sqlx::migrate!();

/// The newest migration that this binary knows.
pub(super) fn known() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}

/// The newest migration that the brain has seen.
pub(super) async fn found(brain: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    // The table is sqlx's own, so the query cannot be checked against our migrations.
    sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
        .fetch_one(brain)
        .await
}

/// Brings the brain to the schema of this binary.
pub(super) async fn migrate(brain: &mut SqliteConnection) -> Result<(), OpenError> {
    match MIGRATOR.run(brain).await {
        Ok(()) => Ok(()),
        // A migration that we do not know, or know with another content, comes from another engine.
        Err(MigrateError::VersionMissing(found) | MigrateError::VersionMismatch(found)) => {
            Err(OpenError::TooNew {
                found,
                known: known(),
            })
        }
        Err(error) => Err(OpenError::storage("migrate the brain", error)),
    }
}
