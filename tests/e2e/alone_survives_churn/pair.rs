//! Two operators.

use std::time::{Duration, Instant};

use userengine_e2e::local_operator::{LocalOperator, renewing_leader, take_lease_away};
use userengine_e2e::{eventually, leader};

/// Longest time until the other one leads, in seconds.
const TAKEN_OVER_WITHIN: u64 = 20;

/// A leader that was seen to renew goes on for longer than this if it hears no more of its Lease: for 10 s from the beginning of the
/// renewal, which takes 3 s at most.
const GOES_ON_FOR: Duration = Duration::from_secs(6);

/// Two operators; either may lead.
pub struct Pair([LocalOperator; 2]);

impl Pair {
    /// Starts both.
    pub async fn start(client: &kube::Client) -> anyhow::Result<Self> {
        let named = |name| LocalOperator::named(client, name);
        Ok(Self([named("first").await?, named("second").await?]))
    }

    /// Ends both.
    pub async fn stop(self) -> anyhow::Result<()> {
        let [first, second] = self.0;
        first.stop().await?;
        second.stop().await
    }

    /// The end of each one's log.
    pub fn log(&self) -> String {
        self.0.each_ref().map(LocalOperator::log).join("\n\n")
    }

    /// The one through which a life sees what is written.
    pub fn any(&self) -> &LocalOperator {
        let [first, _] = &self.0;
        first
    }

    /// One of them dies.
    pub fn kill_one(&self, is_first: bool) {
        let [first, second] = &self.0;
        if is_first { first } else { second }.kill();
    }

    /// The leader dies and stays away until the other one leads.
    pub async fn take_over(&self, client: &kube::Client) -> anyhow::Result<()> {
        let led = eventually("a leader", TAKEN_OVER_WITHIN, || leader(client)).await?;
        let (old, _) = self.apart(&led);
        old.rest();
        let other = eventually("the other one to lead", TAKEN_OVER_WITHIN, || async {
            Ok(leader(client).await?.filter(|now| *now != led))
        });
        let other = other.await;
        old.resume();
        other.map(drop)
    }

    /// The Lease is taken away from the leader, and the other one dies and begins anew, so that it knows of no claim and leads at
    /// once. The leader hears nothing of it before that. Gives whether it still led then, as it does unless the machine is slow.
    pub async fn lead_at_once(&self, client: &kube::Client) -> anyhow::Result<bool> {
        let led = renewing_leader(client).await?;
        let renewed = Instant::now();
        let (old, other) = self.apart(&led);
        old.between.mute_leases(true);
        let both = async {
            take_lease_away(client).await?;
            other.kill();
            eventually("the other one to lead", TAKEN_OVER_WITHIN, || async {
                Ok(leader(client).await?.filter(|now| *now == other.name))
            })
            .await
        };
        let both = both.await;
        let still_led = renewed.elapsed() < GOES_ON_FOR;
        // Now it hears that it leads no more, by and by.
        old.between.mute_leases(false);
        both.map(|_| still_led)
    }

    /// The one of this name, and the other.
    fn apart(&self, name: &str) -> (&LocalOperator, &LocalOperator) {
        let [first, second] = &self.0;
        if first.name == name {
            (first, second)
        } else {
            (second, first)
        }
    }
}
