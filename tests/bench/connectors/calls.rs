//! What a call costs on its way: added latency, throughput, CPU.

use std::time::Duration;

use super::caller::Door;
use super::load::{self, Seen};
use super::programs::{Programs, Running, engine_door, mcp_door};
use crate::machine::{milliseconds, wait_until_quiet};
use crate::report::{Against, Budget, Line, Measured};
use crate::server::free_address;
use crate::summary::{Summary, number};

/// Of each cell, unless it has enough calls before.
const CELL: Duration = Duration::from_secs(4);
/// More calls than this tell no more.
const MOST_ALONE: usize = 20_000;
const MOST_TOGETHER: usize = 60_000;
/// At once, in the cells with several.
const TOGETHER: usize = 8;
/// How long a cell waits for a quiet machine.
const QUIET: Duration = Duration::from_secs(5);

/// The ways of a call.
const WAYS: [&str; 5] = ["direct", "read", "write", "crate", "fastmcp"];

/// Measures `rounds` of each way, each round in another order.
pub fn measure(programs: &Programs, rounds: u32) -> anyhow::Result<Measured> {
    let guarded = programs.echo(free_address()?, true)?;
    let open = programs.echo(free_address()?, false)?;
    let engine = programs.engine("calls", &[guarded.address], &[])?;
    let crate_proxy = programs.crate_proxy(open.address)?;
    let fastmcp = programs.fastmcp(open.address)?;
    let mut ways = [
        Way::new(&open, mcp_door(open.address, "/mcp", "echo")),
        Way::new(&engine, engine_door(engine.address, 0, "echo")),
        Way::new(&engine, engine_door(engine.address, 0, "write")),
        Way::new(&crate_proxy, mcp_door(crate_proxy.address, "/", "echo")),
        Way::new(&fastmcp, mcp_door(fastmcp.address, "/mcp", "echo")),
    ];
    for way in &ways {
        load::run(&way.door, 1, Duration::from_secs(1), 500)?;
    }
    let mut busy = Vec::new();
    for round in 0..rounds as usize {
        for turn in 0..ways.len() {
            busy.push(wait_until_quiet(QUIET)?);
            let count = ways.len();
            if let Some(way) = ways.get_mut((round + turn) % count) {
                way.measure()?;
            }
        }
        eprintln!(
            "    round {} of {rounds}: p50 at 1 caller, calls a second at {TOGETHER}:",
            round + 1
        );
        for (name, way) in WAYS.iter().zip(&ways) {
            eprintln!("      {name}: {}", way.last());
        }
    }
    let calls = ways.iter().map(|way| way.calls).min().unwrap_or_default();
    let [direct, read, write, crate_proxy, fastmcp] = ways;
    let notes = vec![format!(
        "A direct call takes {} ms (p50 at 1 caller) and {} ms (p99). The way with the fewest calls (FastMCP's, as a rule) made {calls}.",
        Summary::of(&direct.p50).map_or("?".to_owned(), |rounds| rounds.to_string()),
        Summary::of(&direct.p99).map_or("?".to_owned(), |rounds| rounds.to_string()),
    )];
    Ok(Measured {
        lines: lines(&direct, &read, &write, &crate_proxy, &fastmcp),
        busy,
        notes,
    })
}

/// One way, round by round.
struct Way<'a> {
    running: &'a Running,
    door: Door,
    /// At one caller, in milliseconds.
    p50: Vec<f64>,
    p99: Vec<f64>,
    /// CPU of the process that is called, in microseconds a call at one caller.
    cpu: Vec<f64>,
    /// At several callers, a second.
    rate: Vec<f64>,
    calls: usize,
}

impl<'a> Way<'a> {
    fn new(running: &'a Running, door: Door) -> Self {
        let (p50, p99, cpu, rate) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            running,
            door,
            p50,
            p99,
            cpu,
            rate,
            calls: 0,
        }
    }

    fn measure(&mut self) -> anyhow::Result<()> {
        let before = self.running.server.cpu()?;
        let alone = load::run(&self.door, 1, CELL, MOST_ALONE)?;
        let used = self.running.server.cpu_since(&before)?;
        self.p50.push(alone.percentile(50));
        self.p99.push(alone.percentile(99));
        self.cpu.push(per_call(used, &alone));
        let together = load::run(&self.door, TOGETHER, CELL, MOST_TOGETHER)?;
        self.rate.push(together.rate().round());
        self.calls += alone.count() + together.count();
        Ok(())
    }

    fn last(&self) -> String {
        let last = |rounds: &[f64]| rounds.last().copied().map(number).unwrap_or_default();
        format!("{} ms, {}", last(&self.p50), last(&self.rate))
    }
}

fn per_call(used: Duration, seen: &Seen) -> f64 {
    let count = u32::try_from(seen.count()).unwrap_or(u32::MAX).max(1);
    milliseconds(used * 1000 / count)
}

fn lines(direct: &Way, read: &Way, write: &Way, crate_proxy: &Way, fastmcp: &Way) -> Vec<Line> {
    let p50 = |way: &Way| added(&way.p50, &direct.p50);
    let p99 = |way: &Way| added(&way.p99, &direct.p99);
    let line = |what: &str, unit: &str, ours, against: Option<(&str, Vec<f64>)>, budget| Line {
        what: what.to_owned(),
        unit: unit.to_owned(),
        ours,
        against: against.map(|(what, rounds)| Against {
            what: what.to_owned(),
            rounds,
        }),
        budget,
    };
    let (of_crate, of_fastmcp) = ("crate mcp-proxy", "FastMCP's proxy");
    let fast = Some(Budget::AtLeast(1.0));
    vec![
        line(
            "read, 1 caller: added p50",
            "ms",
            p50(read),
            Some((of_crate, p50(crate_proxy))),
            Some(Budget::Median(0.2)),
        ),
        line(
            "read, 1 caller: added p50",
            "ms",
            p50(read),
            Some((of_fastmcp, p50(fastmcp))),
            Some(Budget::Median(0.2)),
        ),
        line(
            "read, 1 caller: added p99",
            "ms",
            p99(read),
            Some((of_crate, p99(crate_proxy))),
            None,
        ),
        line(
            "write, 1 caller: added p50",
            "ms",
            p50(write),
            None,
            Some(Budget::Median(0.6)),
        ),
        line("write, 1 caller: added p99", "ms", p99(write), None, None),
        line(
            "reads a second, 8 callers",
            "a second",
            read.rate.clone(),
            Some((of_crate, crate_proxy.rate.clone())),
            fast,
        ),
        line(
            "reads a second, 8 callers",
            "a second",
            read.rate.clone(),
            Some((of_fastmcp, fastmcp.rate.clone())),
            fast,
        ),
        line(
            "writes a second, 8 callers",
            "a second",
            write.rate.clone(),
            None,
            None,
        ),
        line(
            "CPU of a read, 1 caller",
            "µs",
            read.cpu.clone(),
            Some((of_crate, crate_proxy.cpu.clone())),
            None,
        ),
    ]
}

/// Round by round, what came on top.
fn added(way: &[f64], direct: &[f64]) -> Vec<f64> {
    let pairs = way.iter().zip(direct);
    pairs
        .map(|(way, direct)| ((way - direct) * 1e3).round() / 1e3)
        .collect()
}
