//! Two operators.

use userengine_e2e::local_operator::LocalOperator;
use userengine_e2e::{eventually, leader};

/// Longest time until the other one leads, in seconds.
const TAKEN_OVER_WITHIN: u64 = 20;

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
        let [first, second] = &self.0;
        let old = if first.name == led { first } else { second };
        old.rest();
        let other = eventually("the other one to lead", TAKEN_OVER_WITHIN, || async {
            Ok(leader(client).await?.filter(|now| *now != led))
        });
        let other = other.await;
        old.resume();
        other.map(drop)
    }
}
