//! What only tests do to an open brain.

use sqlx::{AssertSqlSafe, Executor};

use super::{Store, StoreError};

impl Store {
    /// Makes the volume as good as full: the brain may not grow beyond so many pages.
    pub async fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        let statement = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        self.writer
            .execute(statement)
            .await
            .map_err(StoreError::sqlite("limit the pages"))?;
        Ok(())
    }

    /// A number that changes with each commit of another connection than the one that reads it.
    pub async fn data_version(&self) -> Result<i64, StoreError> {
        let mut reader = self.read().await?;
        sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut *reader)
            .await
            .map_err(StoreError::sqlite("read the data version"))
    }
}
