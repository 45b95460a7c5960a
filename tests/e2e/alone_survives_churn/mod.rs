//! Engines that change all the time, under two operators that die all the time, before an API server that dies now and then.
//!
//! The slice runs with the other tests; `OPERATOR_CHURN=all` runs everything. `OPERATOR_CHURN_SEED` gives who dies when, and the
//! figures go into the file that `OPERATOR_CHURN_TABLE` names.

mod hard;
mod pair;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use tokio::sync::Barrier;
use userengine_e2e::between::draw;
use userengine_e2e::life::{Life, POLICIES, Story};
use userengine_e2e::machine::restart_component;
use userengine_e2e::state::state;
use userengine_e2e::{in_namespace, without_operators};

use self::hard::{Hard, put_right};
use self::pair::Pair;

/// Longest time from one death to the next, in milliseconds.
const DEATHS: u64 = 2000;
/// So many deaths from one after which the leader stays away until the other one leads, to the next.
const TAKEOVERS: usize = 10;
/// So many deaths from one of the API server or of etcd to the next.
const OUTAGES: usize = 25;
/// So many deaths from one at which both lead for a moment to the next.
const BOTH_LEAD: usize = 40;
/// The first of those: the slice has one, and none of them is one that anything else is done at.
const FIRST_BOTH_LEAD: usize = 7;

#[tokio::test]
async fn alone_engines_come_to_the_same_under_operators_that_die_all_the_time() -> anyhow::Result<()>
{
    let (extent, table) = Extent::read()?;
    let client = userengine_e2e::client().await?;
    without_operators(&client, async {
        let pair = Pair::start(&client).await?;
        let toll = churn(&client, &pair, extent).await;
        let toll = toll.with_context(|| pair.log())?;
        let text = toll.text(extent);
        println!("{text}");
        if let Some(path) = table {
            std::fs::write(path, text)?;
        }
        pair.stop().await
    })
    .await
}

/// How much of it.
#[derive(Clone, Copy)]
struct Extent {
    engines: usize,
    /// SIGKILLs to operators.
    deaths: usize,
    seed: u64,
}

impl Extent {
    /// The extent, and where to write what came of it.
    #[expect(
        clippy::disallowed_methods,
        reason = "how much of the campaign to run is the script's to say"
    )]
    fn read() -> anyhow::Result<(Self, Option<String>)> {
        let seed = std::env::var("OPERATOR_CHURN_SEED").map_or(Ok(1), |text| text.parse());
        let seed = seed.context("OPERATOR_CHURN_SEED is no number")?;
        let is_all = std::env::var("OPERATOR_CHURN").is_ok_and(|what| what == "all");
        let (engines, deaths) = if is_all { (6, 200) } else { (3, 8) };
        let extent = Self {
            engines,
            deaths,
            seed,
        };
        Ok((extent, std::env::var("OPERATOR_CHURN_TABLE").ok()))
    }
}

/// What happened.
#[derive(Default)]
struct Toll {
    takeovers: usize,
    both_led: usize,
    outages: usize,
    changes: usize,
    slowest: Duration,
}

impl Toll {
    fn text(&self, extent: Extent) -> String {
        let Extent {
            engines,
            deaths,
            seed,
        } = extent;
        let Self {
            takeovers,
            both_led,
            outages,
            changes,
            slowest,
        } = self;
        let slowest = slowest.as_secs_f64();
        format!(
            "seed {seed}. {engines} engines, two operators, {deaths} SIGKILLs to operators, after {takeovers} of which the other \
             one had to take over and at {both_led} of which both led for a moment; {outages} times the API server or etcd died; \
             {changes} changes. The last engine was as expected {slowest:.1} s after the last change, and no credential was lost."
        )
    }
}

/// All of it. What each engine comes to in the end is compared with one of the same policy that had an easy life.
async fn churn(client: &kube::Client, pair: &Pair, extent: Extent) -> anyhow::Result<Toll> {
    let expected = try_join_all(POLICIES.map(|policy| easy(pair, policy)));
    let expected: HashMap<_, _> = POLICIES.into_iter().zip(expected.await?).collect();
    let born = Barrier::new(extent.engines + 1);
    let (is_over, changes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let policies = POLICIES.into_iter().cycle().take(extent.engines);
    let lives = policies.enumerate().map(|(number, policy)| {
        let hard = Hard {
            policy,
            expected: expected.get(policy).map_or("", String::as_str),
            seed: draw(extent.seed, number as u64),
            born: &born,
            is_over: &is_over,
            changes: &changes,
        };
        hard.live(pair)
    });
    let deaths = async {
        born.wait().await;
        let toll = die(client, pair, extent).await;
        is_over.store(true, Ordering::SeqCst);
        toll
    };
    let (took, toll) = tokio::try_join!(try_join_all(lives), deaths)?;
    let slowest = took.into_iter().max();
    let changes = changes.load(Ordering::SeqCst);
    ensure!(changes > extent.deaths, "{changes} changes only");
    ensure!(toll.both_led > 0, "at no time did both lead");
    Ok(Toll {
        changes,
        slowest: slowest.unwrap_or_default(),
        ..toll
    })
}

async fn die(client: &kube::Client, pair: &Pair, extent: Extent) -> anyhow::Result<Toll> {
    let mut toll = Toll::default();
    for turn in 1..=extent.deaths {
        let place = turn as u64;
        // The harm itself: nothing is waited for.
        tokio::time::sleep(Duration::from_millis(draw(extent.seed, place) % DEATHS)).await;
        if turn % TAKEOVERS == TAKEOVERS / 2 {
            pair.take_over(client).await?;
            toll.takeovers += 1;
        } else if turn % BOTH_LEAD == FIRST_BOTH_LEAD {
            toll.both_led += usize::from(pair.lead_at_once(client).await?);
        } else {
            pair.kill_one(draw(!extent.seed, place).is_multiple_of(2));
        }
        if turn % OUTAGES == 0 {
            let is_odd = (turn / OUTAGES) % 2 == 1;
            restart_component(if is_odd { "kube-apiserver" } else { "etcd" }).await?;
            toll.outages += 1;
        }
    }
    Ok(toll)
}

/// What an engine of this policy comes to that nobody disturbs.
async fn easy(pair: &Pair, policy: &'static str) -> anyhow::Result<String> {
    let mut came_to = String::new();
    let found = &mut came_to;
    in_namespace("easy", |namespace| async move {
        let life = Life::new(pair.any(), &namespace, policy).await?;
        let before = state(&namespace).await?;
        life.begin(Story::Create).await?;
        let born = life.rest(&before).await?;
        put_right(&life).await?;
        *found = life.rest(&born).await?;
        life.end().await
    })
    .await?;
    Ok(came_to)
}
