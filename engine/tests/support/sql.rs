//! A hand in the brain, for what no engine would do.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqliteConnection};

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

/// As [`number`], inside a runtime, beside an open engine.
pub async fn number_async(brain: &Path, query: &str) -> i64 {
    let mut connection = connect(brain).await;
    let number = sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    number
}

/// Rows of texts.
pub fn texts(brain: &Path, query: &str) -> Vec<Vec<String>> {
    block_on(texts_async(brain, query))
}

/// The same inside a runtime.
pub async fn texts_async(brain: &Path, query: &str) -> Vec<Vec<String>> {
    let mut connection = connect(brain).await;
    let rows = sqlx::query(AssertSqlSafe(query.to_owned()))
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let texts = |row: &SqliteRow| (0..row.len()).map(|column| row.get(column)).collect();
    rows.iter().map(texts).collect()
}
