//! What only tests do to an open brain.

use sqlx::{AssertSqlSafe, Executor};

use super::{Store, StoreError};

impl Store {
    /// Makes the volume as good as full: the brain may not grow beyond so many pages.
    pub async fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        let statement = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        self.turn()
            .await?
            .execute(statement)
            .await
            .map_err(StoreError::sqlite("limit the pages"))?;
        Ok(())
    }
}
