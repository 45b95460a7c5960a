//! Do servers that hang slow the others down?

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use userengine_api::layout::env;

use super::caller::Caller;
use super::programs::{Programs, Running, engine_door};
use crate::machine::{milliseconds, pause, wait_until_quiet};
use crate::report::{Against, Budget, Line, Measured};
use crate::server::free_address;
use crate::summary::Summary;

/// Connections of the engine.
const SERVERS: usize = 10;
/// How many of them hang, one after the other.
const HANGING: [usize; 4] = [1, 3, 6, 9];
/// Callers of each server that hangs, and their pause after an answer.
const CALLERS: usize = 2;
const STEP: Duration = Duration::from_millis(100);
/// How long the others are called in each cell.
const CELL: Duration = Duration::from_secs(4);
/// Shorter than by default, so that both are in a cell: calls that wait, and calls that the breaker refuses.
const TIMEOUT: &str = "2";

/// Measures `rounds` of each number of hanging servers, each next to a cell in which none hangs.
pub fn measure(programs: &Programs, rounds: u32) -> anyhow::Result<Measured> {
    let echoes = (0..SERVERS)
        .map(|_| programs.echo(free_address()?, true))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let addresses: Vec<_> = echoes.iter().map(|echo| echo.address).collect();
    let (mut lines, mut busy) = (Vec::new(), Vec::new());
    for hanging in HANGING {
        let (mut p50, mut p99) = (Columns::default(), Columns::default());
        for round in 0..rounds {
            // An engine of its own, so that no breaker remembers the cell before.
            let name = format!("hangs-{hanging}-{round}");
            let settings = [(env::CALL_TIMEOUT_SECONDS, TIMEOUT)];
            let engine = programs.engine(&name, &addresses, &settings)?;
            busy.push(wait_until_quiet(Duration::from_secs(3))?);
            let alone = cell(&engine, &echoes, hanging, false)?;
            let beside = cell(&engine, &echoes, hanging, true)?;
            p50.take(beside.0, alone.0);
            p99.take(beside.1, alone.1);
            engine.server.stop()?;
        }
        eprintln!(
            "    {hanging} of {SERVERS} hang: p50 {}, p99 {}",
            p50.words(),
            p99.words()
        );
        let what = |part| format!("{part} of the others while {hanging} of {SERVERS} servers hang");
        lines.push(p50.line(what("p50"), Budget::Ratio(1.1)));
        lines.push(p99.line(what("p99"), Budget::RatioPlus(1.2, 5.0)));
    }
    Ok(Measured {
        lines,
        busy,
        notes: Vec::new(),
    })
}

/// Beside hanging servers, and without.
#[derive(Default)]
struct Columns {
    beside: Vec<f64>,
    alone: Vec<f64>,
}

impl Columns {
    fn take(&mut self, beside: f64, alone: f64) {
        self.beside.push(beside);
        self.alone.push(alone);
    }

    fn words(&self) -> String {
        let words = |rounds: &[f64]| {
            Summary::of(rounds).map_or("?".to_owned(), |rounds| rounds.to_string())
        };
        format!(
            "{} ms, none hangs: {} ms",
            words(&self.beside),
            words(&self.alone)
        )
    }

    fn line(self, what: String, budget: Budget) -> Line {
        Line {
            what,
            unit: "ms".to_owned(),
            ours: self.beside,
            against: Some(Against {
                what: "none hangs".to_owned(),
                rounds: self.alone,
            }),
            budget: Some(budget),
        }
    }
}

/// Calls those that do not hang, one after the other. Gives p50 and p99 in milliseconds.
fn cell(
    engine: &Running,
    echoes: &[Running],
    hanging: usize,
    hang: bool,
) -> anyhow::Result<(f64, f64)> {
    let stopped = if hang { hanging } else { 0 };
    let signal = |signal| -> anyhow::Result<()> {
        let mut hanging = echoes.iter().take(stopped);
        hanging.try_for_each(|echo| echo.server.signal(signal))
    };
    let ended = AtomicBool::new(false);
    signal(Signal::STOP)?;
    let times = thread::scope(|scope| {
        for number in (0..stopped).cycle().take(stopped * CALLERS) {
            let ended = &ended;
            scope.spawn(move || insist(engine, number, ended));
        }
        let times = call_others(engine, hanging);
        ended.store(true, Ordering::Relaxed);
        times
    });
    signal(Signal::CONT)?;
    let mut times = times?;
    times.sort_by(f64::total_cmp);
    let at = |percent| {
        let found = times.get(times.len() * percent / 100);
        found.copied().unwrap_or(f64::NAN)
    };
    Ok((at(50), at(99)))
}

/// Calls a server that hangs, again and again.
fn insist(engine: &Running, number: usize, ended: &AtomicBool) {
    let door = engine_door(engine.address, number, "echo");
    let mut caller = None;
    while !ended.load(Ordering::Relaxed) {
        // A refusal is what is expected here.
        caller = caller.take().or_else(|| Caller::open(&door).ok());
        let _ = caller.as_mut().map(Caller::call);
        pause(STEP);
    }
}

fn call_others(engine: &Running, hanging: usize) -> anyhow::Result<Vec<f64>> {
    let doors = (hanging..SERVERS).map(|number| engine_door(engine.address, number, "echo"));
    let mut callers = doors
        .map(|door| Caller::open(&door))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < CELL {
        for caller in &mut callers {
            let start = Instant::now();
            caller.call()?;
            times.push(milliseconds(start.elapsed()));
        }
    }
    Ok(times)
}
