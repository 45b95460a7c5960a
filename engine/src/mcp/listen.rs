//! Notices of changed tools on 2026-07-28: one `subscriptions/listen`, kept open
//! (<https://modelcontextprotocol.io/specification/2026-07-28/basic/utilities/subscriptions>).

use std::time::Duration;

use rmcp::model::SubscriptionFilter;
use rmcp::service::{Peer, RoleClient};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::trace;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Listener(JoinHandle<()>);

impl Listener {
    /// Begins to listen. What may have changed while nobody listened counts as a change.
    pub fn start(peer: Peer<RoleClient>, label: String, tools_changed: watch::Sender<u64>) -> Self {
        Self(tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let began = Instant::now();
                listen(&peer, &tools_changed).await;
                if peer.is_transport_closed() {
                    return;
                }
                if began.elapsed() > LONGEST_PAUSE {
                    pause = FIRST_PAUSE;
                }
                trace::waited(&label, "notices ended", pause);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                tools_changed.send_modify(|count| *count += 1);
            }
        }))
    }
}

async fn listen(peer: &Peer<RoleClient>, tools_changed: &watch::Sender<u64>) {
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let Ok(mut subscription) = peer.listen(filter).await else {
        return;
    };
    while let Ok(Some(_)) = subscription.next().await {
        tools_changed.send_modify(|count| *count += 1);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}
