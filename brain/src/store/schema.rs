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

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr};

    use super::*;
    use crate::vault::SealedColumn;

    #[tokio::test]
    async fn the_registry_of_sealed_columns_is_complete() {
        let mut brain = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut brain).await.unwrap();
        // Whatever is sealed has its kid beside it. What is in quarantine opens with no key, and stays as it is.
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT t.name FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND c.name = 'kid' AND t.name <> 'quarantine' ORDER BY t.name",
        )
        .fetch_all(&mut brain)
        .await
        .unwrap();
        let mut registered = SealedColumn::ALL.map(SealedColumn::table).to_vec();
        registered.dedup();
        assert_eq!(tables, registered);
        for column in SealedColumn::ALL {
            let found: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM pragma_table_info(?) WHERE name = ?")
                    .bind(column.table())
                    .bind(column.column())
                    .fetch_one(&mut brain)
                    .await
                    .unwrap();
            assert_eq!(found, 1, "{column:?}");
        }
    }

    #[tokio::test]
    async fn a_migration_that_changed_after_it_ran_is_not_ours() {
        let mut brain = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut brain).await.unwrap();
        sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00'")
            .execute(&mut brain)
            .await
            .unwrap();
        assert!(matches!(
            migrate(&mut brain).await,
            Err(OpenError::TooNew { .. })
        ));
    }

    #[tokio::test]
    async fn the_committed_query_data_is_what_the_schema_gives() {
        let mut brain = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut brain).await.unwrap();
        for entry in std::fs::read_dir(".sqlx").unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let data: serde_json::Value = serde_json::from_str(&text).unwrap();
            let query = data["query"].as_str().unwrap().to_owned();
            let described = brain
                .describe(AssertSqlSafe(query.clone()).into_sql_str())
                .await
                .unwrap();
            let described = serde_json::to_value(described).unwrap();
            assert_eq!(described, data["describe"], "run brain/prepare.sh: {query}");
        }
    }
}
