//! Engine start → first answer, against the bare server.

use std::time::Duration;

use anyhow::Context as _;

use crate::machine::{describe_disk, milliseconds, wait_until_quiet};
use crate::report::{Against, Budget, Line, Measured};
use crate::server::{Kind, Method, Servers, Started};
use crate::summary::{Summary, number};

const BRAIN: &str = "brain";
/// Starts of each that nobody counts: they bring programs and brain into the page cache.
const WARM_UP: u32 = 3;
/// Rounds in which the method itself is measured.
const METHOD_ROUNDS: u32 = 100;

/// Measures `rounds` starts of each, alternating which of them is first.
pub fn measure(servers: &Servers, rounds: u32) -> anyhow::Result<Measured> {
    let disk = describe_disk(servers.scratch())?;
    let bytes = servers
        .make_brain(BRAIN)
        .context("failed to make a brain")?;
    let mut method = None;
    for _ in 0..WARM_UP {
        servers.start(Kind::Engine, BRAIN)?.server.stop()?;
        let bare = servers.start(Kind::Bare, BRAIN)?;
        if method.is_none() {
            wait_until_quiet(Duration::from_secs(3))?;
            method = Some(Method::measure(bare.address, METHOD_ROUNDS)?);
        }
        bare.server.stop()?;
    }

    let (mut engine, mut bare, mut busy) = (Samples::default(), Samples::default(), Vec::new());
    for round in 0..rounds {
        let mut order = [Kind::Engine, Kind::Bare];
        if round % 2 == 1 {
            order.reverse();
        }
        for kind in order {
            busy.push(wait_until_quiet(Duration::from_secs(3))?);
            let started = servers.start(kind, BRAIN)?;
            let samples = if kind == Kind::Engine {
                &mut engine
            } else {
                &mut bare
            };
            samples.take(started)?;
        }
        eprintln!(
            "    round {} of {rounds}: engine {} ms, bare server {} ms",
            round + 1,
            last(&engine.answered),
            last(&bare.answered)
        );
    }
    let against = |rounds| {
        Some(Against {
            what: "bare axum server".to_owned(),
            rounds,
        })
    };
    let lines = vec![
        Line {
            what: "engine start → first 200 on `/health`".to_owned(),
            unit: "ms".to_owned(),
            ours: engine.answered,
            against: against(bare.answered),
            budget: Some(Budget::Median(25.0)),
        },
        Line {
            what: "CPU used until then".to_owned(),
            unit: "ms".to_owned(),
            ours: engine.cpu,
            against: against(bare.cpu),
            budget: None,
        },
    ];
    let mut notes = vec![
        format!("The brain is a file of {} KiB.", bytes / 1024),
        disk,
    ];
    notes.extend(method.map(|method| describe(&method)));
    Ok(Measured { lines, busy, notes })
}

#[derive(Default)]
struct Samples {
    answered: Vec<f64>,
    cpu: Vec<f64>,
}

impl Samples {
    fn take(&mut self, started: Started) -> anyhow::Result<()> {
        self.answered.push(milliseconds(started.answered));
        self.cpu.push(milliseconds(started.cpu));
        started.server.stop()
    }
}

fn last(rounds: &[f64]) -> String {
    rounds.last().copied().map(number).unwrap_or_default()
}

fn describe(method: &Method) -> String {
    let of = |rounds: &[f64]| {
        Summary::of(rounds).map_or("?".to_owned(), |summary| number(summary.median))
    };
    format!(
        "What the method adds to every figure of both (medians of {METHOD_ROUNDS}): a step of the poll takes {} ms, so an answer \
         is noticed at most that much late; {} ms of a step is work of the client, the rest is sleep. Connecting to a server that \
         runs and its answer take {} ms. Making a process that does nothing and waiting for its end takes {} ms.",
        of(&method.step),
        of(&method.attempt),
        of(&method.request),
        of(&method.process)
    )
}
