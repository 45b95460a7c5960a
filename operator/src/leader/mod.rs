//! Of several replicas one leads, and holds a Lease as the sign of it; the others stand by.
//!
//! Who leads may write for [`HOLD`] after it last renewed; nobody else takes the Lease before [`decide::TERM`] of not seeing it
//! renewed. So at no time do two replicas write, however long one of them stands still or is cut off.

pub mod decide;
mod fence;
#[cfg(test)]
mod tests;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::decide::{Claim, Step, claimed, released, step};
pub use self::fence::{Closed, Fence};
use crate::cluster::ours;
use crate::user_engine::retry::jittered;

/// Name of the Lease, in the operator's namespace.
pub const LEASE: &str = "userengine-operator";
/// How long who leads goes on after it last renewed.
pub const HOLD: Duration = Duration::from_secs(10);
/// Between two looks at the Lease; up to a quarter longer, so that replicas do not move in step.
const RETRY: Duration = Duration::from_secs(2);
/// Longest wait for the API server: two tries fit in [`HOLD`].
const PATIENCE: Duration = Duration::from_secs(3);

/// Where a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not seen yet that anybody leads.
    Looks,
    /// Another replica leads: it was seen to renew.
    StandsBy,
    /// It leads, and reads what there is.
    Starts,
    /// It leads, and works.
    Leads,
}

/// Why a replica leads no more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The API server could not be reached, or this process stood still.
    #[error("the Lease was not renewed for {} s", HOLD.as_secs())]
    Late,
    /// Another replica has it.
    #[error("{0} holds the Lease")]
    Taken(String),
}

/// The Lease could not be read or written.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Silence(#[from] tokio::time::error::Elapsed),
}

impl Trouble {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Api(kube::Error::Api(status)) if status.is_conflict())
    }
}

/// One replica's part in finding out who leads.
pub struct Election {
    leases: Api<Lease>,
    me: String,
    fence: Fence,
    claim: Option<Claim>,
    /// It wrote a claim of its own, or may have.
    has_claimed: bool,
    until: Instant,
    looks: u64,
}

/// A name for a replica that nobody named.
pub fn nameless() -> Result<String, getrandom::Error> {
    Ok(format!("operator-{:08x}", getrandom::u32()?))
}

impl Election {
    /// For the replica of this name. It opens the fence while it leads; `client` is not behind it.
    pub fn new(client: Client, namespace: &str, me: String, fence: Fence) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            me,
            fence,
            claim: None,
            has_claimed: false,
            until: Instant::now(),
            looks: 0,
        }
    }

    /// Waits until this replica leads.
    pub async fn win(&mut self, standing: &watch::Sender<Standing>) {
        loop {
            let before = self.claim.clone();
            let wait = match self.look().await {
                Ok(Step::Take | Step::Renew) => break,
                Ok(Step::Wait(left)) => {
                    if before.is_some() && before != self.claim {
                        standing.send_replace(Standing::StandsBy);
                    }
                    self.pause().min(left)
                }
                Err(error) => {
                    self.warn(&error);
                    self.pause()
                }
            };
            sleep(wait).await;
        }
        standing.send_replace(Standing::Starts);
        tracing::info!(replica = self.me, "this replica leads");
    }

    /// Renews for as long as it can; returns when this replica may write no more.
    pub async fn keep(&mut self) -> Lost {
        loop {
            let until = self.until;
            // The time first: who stood still must not renew what may be another's by now.
            let lost = tokio::select! {
                biased;
                () = sleep_until(until) => Lost::Late,
                renewed = self.renew() => match renewed {
                    Ok(()) => continue,
                    Err(lost) => lost,
                },
            };
            self.fence.close();
            return lost;
        }
    }

    /// Tries until the Lease is renewed, or another's.
    async fn renew(&mut self) -> Result<(), Lost> {
        loop {
            sleep(self.pause()).await;
            match self.look().await {
                Ok(Step::Take | Step::Renew) => return Ok(()),
                Ok(Step::Wait(_)) => {
                    let holder = self.claim.as_ref().map(Claim::holder);
                    return Err(Lost::Taken(holder.unwrap_or_default().to_owned()));
                }
                Err(error) => self.warn(&error),
            }
        }
    }

    /// Lets the next replica lead at once. Whatever this one does must have come to its end.
    pub async fn release(self) {
        self.fence.close();
        if !self.has_claimed {
            return;
        }
        let mut released = self.try_to_release().await;
        // A renewal may have been on its way whose answer nobody waits for.
        if released.as_ref().is_err_and(Trouble::is_conflict) {
            released = self.try_to_release().await;
        }
        if let Err(error) = released {
            tracing::warn!(%error, "failed to release the Lease; the next replica waits until it has run out");
        }
    }

    async fn try_to_release(&self) -> Result<(), Trouble> {
        let give_back = async {
            let lease = self.leases.get_opt(LEASE).await?;
            if let Some(lease) = lease.and_then(|lease| released(lease, &self.me)) {
                self.leases.replace(LEASE, &ours(), &lease).await?;
            }
            Ok(())
        };
        timeout(PATIENCE, give_back).await?
    }

    /// One look at the Lease, and what it allows: a claim is written.
    async fn look(&mut self) -> Result<Step, Trouble> {
        Ok(timeout(PATIENCE, self.look_and_claim()).await??)
    }

    async fn look_and_claim(&mut self) -> kube::Result<Step> {
        let began = Instant::now();
        let lease = self.leases.get_opt(LEASE).await?;
        let step = self.see(lease.as_ref());
        if matches!(step, Step::Wait(_)) {
            return Ok(step);
        }
        let is_there = lease.is_some();
        let mut wanted = claimed(lease, &self.me, crate::clock::exactly());
        self.has_claimed = true;
        let written = if is_there {
            self.leases.replace(LEASE, &ours(), &wanted).await?
        } else {
            wanted.metadata.name = Some(LEASE.to_owned());
            self.leases.create(&ours(), &wanted).await?
        };
        self.see(Some(&written));
        self.until = began + HOLD;
        self.fence.open(self.until);
        Ok(step)
    }

    fn see(&mut self, lease: Option<&Lease>) -> Step {
        let now = Instant::now();
        self.claim = Claim::after(self.claim.take(), lease, now);
        step(&self.me, self.claim.as_ref(), now)
    }

    fn pause(&mut self) -> Duration {
        self.looks += 1;
        jittered(RETRY, &format!("{}{}", self.me, self.looks))
    }

    fn warn(&self, error: &Trouble) {
        tracing::warn!(replica = self.me, %error, "failed to read or write the Lease; trying again");
    }
}
