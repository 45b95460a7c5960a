//! What an engine costs that has connections and that nobody uses.

use std::time::Duration;

use super::programs::Programs;
use crate::machine::{milliseconds, pause, wait_until_quiet};
use crate::report::{Budget, Line, Measured};
use crate::server::free_address;
use crate::text::{IDLE, SETTLE};

/// Connections of each engine.
const CONNECTIONS: usize = 10;

/// As many engines at the same time as there are rounds, all with the same servers.
pub fn measure(programs: &Programs, rounds: u32) -> anyhow::Result<Measured> {
    let echoes = (0..CONNECTIONS)
        .map(|_| programs.echo(free_address()?, true))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let addresses: Vec<_> = echoes.iter().map(|echo| echo.address).collect();
    let engines = (0..rounds)
        .map(|round| programs.engine(&format!("connected-{round}"), &addresses, &[]))
        .collect::<anyhow::Result<Vec<_>>>()?;
    pause(SETTLE);
    let busy = vec![wait_until_quiet(Duration::from_secs(10))?];
    let before = engines
        .iter()
        .map(|engine| engine.server.cpu())
        .collect::<Result<Vec<_>, _>>()?;
    pause(IDLE);
    let a_minute = 60.0 / IDLE.as_secs_f64();
    let (mut memory, mut used) = (Vec::new(), Vec::new());
    for (engine, before) in engines.iter().zip(&before) {
        used.push(milliseconds(
            engine.server.cpu_since(before)?.mul_f64(a_minute),
        ));
        memory.push(engine.server.memory("status", "VmRSS")?);
    }
    let line = |what: &str, unit: &str, ours, most| Line {
        what: format!("idle engine with {CONNECTIONS} connections: {what}"),
        unit: unit.to_owned(),
        ours,
        against: None,
        budget: Some(Budget::Median(most)),
    };
    Ok(Measured {
        lines: vec![
            line("resident memory (RSS)", "MiB", memory, 24.0),
            line("CPU", "ms a minute", used, 10.0),
        ],
        busy,
        notes: Vec::new(),
    })
}
