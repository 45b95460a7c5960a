//! What an engine costs that nobody uses, against the bare server.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::machine::{milliseconds, pause, wait_until_quiet};
use crate::report::{Against, Budget, Line, Measured};
use crate::server::{Kind, Servers, Started, Thread, ask};
use crate::text::{IDLE, SETTLE};

/// More processes than this would disturb each other.
const MOST: u32 = 20;

/// Measures `rounds` processes of each, all at the same time.
pub fn measure(servers: &Servers, rounds: u32) -> anyhow::Result<Measured> {
    let (mut engines, mut bares) = (Vec::new(), Vec::new());
    for round in 0..rounds.min(MOST) {
        let name = format!("idle-{round}");
        servers
            .make_brain(&name)
            .context("failed to make a brain")?;
        engines.push(servers.start(Kind::Engine, &name)?);
        bares.push(servers.start(Kind::Bare, &name)?);
    }
    let count = engines.len();
    eprintln!(
        "    {count} engines and {count} bare servers, left alone for {} s",
        (SETTLE + IDLE).as_secs()
    );
    pause(SETTLE);
    let busy = vec![wait_until_quiet(Duration::from_secs(10))?];
    let (before_engines, before_bares) = (cpu_of(&engines)?, cpu_of(&bares)?);
    pause(IDLE);
    let engines_used = used_by(&engines, &before_engines)?;
    let bares_used = used_by(&bares, &before_bares)?;

    let line = |what: &str, unit: &str, ours, rounds, budget| Line {
        what: what.to_owned(),
        unit: unit.to_owned(),
        ours,
        against: Some(Against {
            what: "bare axum server".to_owned(),
            rounds,
        }),
        budget,
    };
    let memory = |servers: &[Started], file: &str, name: &str| {
        servers
            .iter()
            .map(|started| started.server.memory(file, name))
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let lines = vec![
        line(
            "idle engine: resident memory (RSS)",
            "MiB",
            memory(&engines, "status", "VmRSS")?,
            memory(&bares, "status", "VmRSS")?,
            Some(Budget::Median(12.0)),
        ),
        line(
            "idle engine: its share of resident memory (PSS)",
            "MiB",
            memory(&engines, "smaps_rollup", "Pss")?,
            memory(&bares, "smaps_rollup", "Pss")?,
            None,
        ),
        line(
            "idle engine: CPU",
            "ms a minute",
            engines_used,
            bares_used,
            Some(Budget::Median(10.0)),
        ),
    ];
    for started in engines.into_iter().chain(bares) {
        sees_cpu(&started)?;
        started.server.stop()?;
    }
    Ok(Measured {
        lines,
        busy,
        notes: Vec::new(),
    })
}

fn cpu_of(servers: &[Started]) -> anyhow::Result<Vec<Vec<Thread>>> {
    servers.iter().map(|started| started.server.cpu()).collect()
}

/// CPU since `before`, in milliseconds a minute.
fn used_by(servers: &[Started], before: &[Vec<Thread>]) -> anyhow::Result<Vec<f64>> {
    let a_minute = 60.0 / IDLE.as_secs_f64();
    let used = servers.iter().zip(before).map(|(started, before)| {
        let used = started.server.cpu_since(before)?;
        Ok(milliseconds(used.mul_f64(a_minute)))
    });
    used.collect()
}

/// An idle process may well use nothing. Then the way of counting must be seen to work.
fn sees_cpu(started: &Started) -> anyhow::Result<()> {
    let before = started.server.cpu()?;
    ask(TcpStream::connect(started.address)?)?;
    let used = started.server.cpu_since(&before)?;
    ensure!(
        !used.is_zero(),
        "one request used no CPU: the count does not work here"
    );
    Ok(())
}
