//! How long a change of the key keeps an engine away, against the same cycle with a Job that does nothing.

mod answers;
mod cycle;
mod hand;
mod own_time;

use std::time::Instant;

use anyhow::ensure;
use serde_json::json;
use userengine_api::labels;
use userengine_api::status::Phase;
use userengine_e2e::credentials::Credentials;
use userengine_e2e::{Engine, Namespace, eventually, is_ready};

pub use answers::{PATIENCE, STEP};

use crate::apply::create_engine;
use crate::by_hand::{ByHand, TEMPLATE};
use crate::machine::wait_until_quiet;
use crate::on_cluster::{QUIET, in_namespace};
use crate::report::{Against, Budget, Line, Measured};
use crate::summary::{Summary, number};
use crate::watching::{DEADLINE, wait_for_phase};
use answers::Answers;
use cycle::{Cycle, Cycles, Moments, Watches};
use hand::Hand;
use own_time::{Followed, OwnTime};

/// In each brain.
pub const CREDENTIALS: usize = 1000;
/// The engine without an operator.
const BY_HAND: &str = "by-hand";

/// Measures `rounds` of each, alternating which of them is first.
pub fn measure(rounds: u32) -> anyhow::Result<Measured> {
    in_namespace(async |namespace| measure_in(namespace, rounds).await)
}

async fn measure_in(namespace: &Namespace, rounds: u32) -> anyhow::Result<Measured> {
    eprintln!("    two engines with {CREDENTIALS} credentials each");
    let (ours, by_hand) = (engine(namespace).await?, copy(namespace).await?);
    let credentials = Credentials::seed(&ours, CREDENTIALS).await?;
    Credentials::seed(&by_hand, CREDENTIALS).await?;
    let hand = Hand::of(namespace, BY_HAND).await?;
    eprintln!("    warm-up");
    // What its logs say does not count either.
    drop(rotate(&ours, "bench-warm").await?);
    hand.cycle("empty-warm").await?;

    let (mut taken, mut busy, origin) = (Rounds::default(), Vec::new(), Instant::now());
    for round in 0..rounds {
        for ours_now in [round % 2 == 0, round % 2 == 1] {
            busy.push(wait_until_quiet(QUIET)?);
            wait_for_phase(origin, f64::from(round) / f64::from(rounds)).await;
            if ours_now {
                taken.take(rotate(&ours, &format!("bench-{round}")).await?);
            } else {
                taken
                    .hand
                    .take(hand.cycle(&format!("empty-{round}")).await?);
            }
        }
        eprintln!("    round {} of {rounds}: {}", round + 1, taken.last());
    }
    let keys = credentials.check().await?;
    ensure!(keys.len() == 1, "the credentials lie under {keys:?}");
    let notes = vec![describe(&taken.own), version(namespace).await?];
    Ok(Measured {
        lines: lines(taken),
        busy,
        notes,
    })
}

/// What was measured so far.
#[derive(Default)]
struct Rounds {
    ours: Cycles,
    hand: Cycles,
    own: Vec<OwnTime>,
}

impl Rounds {
    fn take(&mut self, (cycle, own): (Cycle, anyhow::Result<OwnTime>)) {
        self.ours.take(cycle);
        match own {
            Ok(own) => self.own.push(own),
            Err(error) => eprintln!("    our own time is not known: {error:#}"),
        }
    }

    fn last(&self) -> String {
        let last = |rounds: &[f64]| rounds.last().copied().map(number).unwrap_or_default();
        let own: Vec<f64> = self.own.iter().map(OwnTime::total).collect();
        format!(
            "away {} ms, by hand {} ms; our own time {} ms",
            last(&self.ours.away),
            last(&self.hand.away),
            last(&own)
        )
    }
}

/// The engine whose key is changed.
async fn engine(namespace: &Namespace) -> anyhow::Result<Engine> {
    create_engine(namespace, TEMPLATE).await?;
    let engine = Engine {
        name: TEMPLATE.to_owned(),
        namespace: namespace.clone(),
    };
    engine.wait_phase(Phase::Ready).await?;
    Ok(engine)
}

/// Its copy, which no operator looks after.
async fn copy(namespace: &Namespace) -> anyhow::Result<Engine> {
    let copies = ByHand::copy(namespace).await?;
    copies.create(namespace, BY_HAND).await?;
    let engine = Engine {
        name: BY_HAND.to_owned(),
        namespace: namespace.clone(),
    };
    eventually("the copy to be Ready", DEADLINE.into(), || async {
        Ok(engine.pod().await?.filter(is_ready).map(drop))
    })
    .await?;
    Ok(engine)
}

/// One rotation. Its logs may be lost with their pods before somebody has read them: that spoils no cycle.
async fn rotate(engine: &Engine, id: &str) -> anyhow::Result<(Cycle, anyhow::Result<OwnTime>)> {
    let namespace = &engine.namespace;
    let jobs = format!(
        "{}={},{}={}",
        labels::ENGINE,
        engine.name,
        labels::COMPONENT,
        labels::ROTATION_COMPONENT
    );
    let pod = format!("{}-0", engine.name);
    let mut watches = Watches::open(namespace, &engine.name, &jobs).await?;
    let followed = Followed::begin(namespace, pod, &jobs).await?;
    let answers = Answers::begin(namespace, &engine.name).await?;
    let began = Instant::now();
    engine.rotate(json!({ "id": id })).await?;
    let (gone, done, ready) = watches.all().await?;
    let moments = Moments {
        began,
        gone,
        done,
        ready,
    };
    let cycle = moments.cycle(answers.end().await?);
    engine.wait_rotation(id, "Certified").await?;
    engine.wait_phase(Phase::Ready).await?;
    let own = OwnTime::read(followed, namespace).await;
    Ok((cycle, own))
}

fn lines(taken: Rounds) -> Vec<Line> {
    let Rounds { ours, hand, own } = taken;
    let line = |what: &str, ours: Vec<f64>, rounds: Vec<f64>, budget| Line {
        what: what.to_owned(),
        unit: "ms".to_owned(),
        ours,
        against: Some(Against {
            what: "by hand, with an empty Job".to_owned(),
            rounds,
        }),
        budget,
    };
    vec![
        line(
            &format!("engine away while its key is changed, {CREDENTIALS} credentials"),
            ours.away,
            hand.away,
            Some(Budget::Ratio(1.25)),
        ),
        line(
            "of it: request → the engine's pod is gone",
            ours.stopping,
            hand.stopping,
            None,
        ),
        line(
            "of it: → the Job's pod has ended",
            ours.working,
            hand.working,
            None,
        ),
        line(
            "of it: → the engine's pod is Ready",
            ours.starting,
            hand.starting,
            None,
        ),
        Line {
            what: "of it: our own time (drain, migrate, verify, open)".to_owned(),
            unit: "ms".to_owned(),
            ours: own.iter().map(OwnTime::total).collect(),
            against: None,
            budget: Some(Budget::Median(500.0)),
        },
    ]
}

/// The steps of our own time.
fn describe(own: &[OwnTime]) -> String {
    let step = |of: fn(&OwnTime) -> f64| {
        let all: Vec<f64> = own.iter().map(of).collect();
        Summary::of(&all).map_or_else(|| "–".to_owned(), |took| took.to_string())
    };
    format!(
        "Our own time, in the {} rounds whose logs were read to their end: drain {} ms, migrate {} ms, verify {} ms, open {} ms.",
        own.len(),
        step(|own| own.drain),
        step(|own| own.migrate),
        step(|own| own.verify),
        step(|own| own.open),
    )
}

async fn version(namespace: &Namespace) -> anyhow::Result<String> {
    let version = namespace.client.apiserver_version().await?.git_version;
    Ok(format!("Kubernetes {version}."))
}
