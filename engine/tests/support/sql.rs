//! A hand in the brain, for what no engine would do.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection};

/// Runs a statement and leaves the brain closed and checkpointed.
pub fn run(brain: &Path, statement: &str) {
    block_on(async {
        let mut connection = connect(brain).await;
        connection
            .execute(AssertSqlSafe(statement.to_owned()))
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

/// One number.
pub fn number(brain: &Path, query: &str) -> i64 {
    block_on(async {
        let mut connection = connect(brain).await;
        let number = sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        number
    })
}

/// Runs a statement and calls `during` while its effect is in the write-ahead log only.
pub fn with_log<T>(brain: &Path, statement: &str, during: impl FnOnce() -> T) -> T {
    block_on(async {
        let mut connection = connect(brain).await;
        connection
            .execute(AssertSqlSafe(statement.to_owned()))
            .await
            .unwrap();
        let outcome = during();
        connection.close().await.unwrap();
        outcome
    })
}

async fn connect(brain: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(brain)
        .journal_mode(SqliteJournalMode::Wal);
    options.create_if_missing(true).connect().await.unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// As [`run`], inside a runtime, beside an open engine.
pub async fn run_async(brain: &Path, statement: &str) {
    let mut connection = connect(brain).await;
    connection
        .execute(AssertSqlSafe(statement.to_owned()))
        .await
        .unwrap();
    connection.close().await.unwrap();
}
