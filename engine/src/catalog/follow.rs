//! Follows the files of the catalog.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::LiveCatalog;

/// Time between two looks. A look is a few system calls. Notices by the kernel would cost nothing at rest, but their number is
/// limited for each user of a node (128 by default), and a node may hold more engines than that.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Takes every change of the files within about two seconds, until the task is dropped. A bad change is logged once and kept out.
pub async fn follow(catalog: Arc<LiveCatalog>) {
    if !catalog.has_files() {
        return;
    }
    let mut looks = interval(BETWEEN_LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if catalog.looks_changed() {
            let catalog = catalog.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || catalog.check_now()).await {
                tracing::error!(%error, "failed to look at the catalog");
            }
        }
    }
}
