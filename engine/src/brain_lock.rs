//! Opens the brain as soon as nobody else has it.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock::Clock;
use crate::store::{self, BrainConfig, OpenError, Opened};
use crate::vault::Vault;

/// How often a brain that somebody else has is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Opens the brain. For one that another process has it waits up to `patience`: a pod that was deleted by force is gone from
/// the cluster before its process is, and the next one starts beside it. `None` if `stopping` came true meanwhile.
pub(crate) async fn open_when_free(
    config: &BrainConfig,
    patience: Duration,
    vault: &Vault,
    clock: &Clock,
    mut stopping: impl Future<Output = ()> + Unpin,
) -> Result<Option<Opened>, OpenError> {
    let until = clock.since_start() + patience;
    let mut told = false;
    loop {
        match store::open(config, vault, clock).await {
            Err(OpenError::Locked) if clock.since_start() < until => {}
            opened => return opened.map(Some),
        }
        if !told {
            tracing::warn!(
                up_to_seconds = patience.as_secs(),
                "another engine or a rotation has the brain open: waiting for its end"
            );
            told = true;
        }
        tokio::select! {
            () = &mut stopping => return Ok(None),
            () = sleep(BETWEEN_LOOKS) => {}
        }
    }
}
