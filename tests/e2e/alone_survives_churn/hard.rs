//! An engine that is changed all the time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use tokio::sync::Barrier;
use userengine_api::status::Phase;
use userengine_e2e::between::draw;
use userengine_e2e::credentials::Credentials;
use userengine_e2e::life::{Life, Story};
use userengine_e2e::{Engine, class, eventually, in_namespace};

use super::pair::Pair;

/// Longest time from one change to the next, in milliseconds.
const CHANGES: u64 = 900;
/// Credentials of an engine that keeps its brain.
const CREDENTIALS: usize = 50;

/// What every engine is asked for in the end.
pub async fn put_right(life: &Life<'_>) -> anyhow::Result<()> {
    for story in [Story::ChangeClass, Story::Resume, Story::Grow] {
        life.begin(story).await?;
    }
    Ok(())
}

/// An engine that is not left in peace.
#[derive(Clone, Copy)]
pub struct Hard<'a> {
    /// What becomes of its brain when it is deleted.
    pub policy: &'static str,
    /// What it has to come to in the end.
    pub expected: &'a str,
    /// Gives what happens to it.
    pub seed: u64,
    /// All are born, and what follows is hard.
    pub born: &'a Barrier,
    /// Peace has come.
    pub is_over: &'a AtomicBool,
    /// Counts what happened.
    pub changes: &'a AtomicUsize,
}

impl Hard<'_> {
    /// Gives how long it took to be as expected once all was over.
    pub async fn live(self, pair: &Pair) -> anyhow::Result<Duration> {
        let mut took = Duration::ZERO;
        let found = &mut took;
        in_namespace("churn", |namespace| async move {
            let life = Life::new(pair.any(), &namespace, self.policy).await?;
            life.begin(Story::Create).await?;
            let kept = self.seeded(&life.engine).await?;
            self.born.wait().await;
            self.change_until_over(&life).await;
            let over = Instant::now();
            eventually("an engine that stays", 60, || stays(&life)).await?;
            put_right(&life).await?;
            life.reach(self.expected).await?;
            *found = over.elapsed();
            if let Some(kept) = kept {
                kept.check().await?;
            }
            life.end().await
        })
        .await
        .with_context(|| format!("an engine with {}", self.policy))?;
        Ok(took)
    }

    /// Waits until it serves. Credentials that must be there in the end, if the policy keeps the brain.
    async fn seeded(&self, engine: &Engine) -> anyhow::Result<Option<Credentials>> {
        engine.wait_phase(Phase::Ready).await?;
        if self.policy != "Retain" {
            return Ok(None);
        }
        Ok(Some(Credentials::seed(engine, CREDENTIALS).await?))
    }

    async fn change_until_over(&self, life: &Life<'_>) {
        let namespace = &life.engine.namespace;
        for place in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let drawn = draw(self.seed, place);
            // Refused while there is no engine, or one already, or no API server.
            let is_done = match drawn % 8 {
                0 => life.begin(Story::Suspend).await,
                1 => life.begin(Story::Resume).await,
                2 => life.begin(Story::ChangeClass).await,
                3 => class(&namespace.client, &namespace.name, json!({})).await,
                4 => life.begin(Story::Grow).await,
                5 => life.begin(Story::Delete).await,
                _ => life.begin(Story::Create).await,
            };
            self.changes
                .fetch_add(usize::from(is_done.is_ok()), Ordering::SeqCst);
            // The harm itself: nothing is waited for.
            tokio::time::sleep(Duration::from_millis(drawn / 8 % CHANGES)).await;
        }
    }
}

/// The engine is there, and is not about to go.
async fn stays(life: &Life<'_>) -> anyhow::Result<Option<()>> {
    // Refused if there is one, going or not.
    let _there = life.begin(Story::Create).await;
    let found = life.engine.get().await?;
    Ok(found.metadata.deletion_timestamp.is_none().then_some(()))
}
