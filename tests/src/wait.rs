//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Time between two looks.
pub(crate) const STEP: Duration = Duration::from_millis(150);

/// Looks until `look` gives something; after `seconds`, fails with what it said last.
pub async fn eventually<T, F>(
    what: &str,
    seconds: u64,
    mut look: impl FnMut() -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        let last = match look().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => "not so yet".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() > end {
            bail!("waited {seconds} s for {what}: {last}");
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Sees that `look` gives true all the time for `seconds`: for what must not happen.
pub async fn holds<F>(what: &str, seconds: u64, mut look: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        if !look().await? {
            bail!("it did not hold for {seconds} s that {what}");
        }
        tokio::time::sleep(STEP).await;
    }
    Ok(())
}
