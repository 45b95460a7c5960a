//! More stopped engines than etcd holds: what the operator needs for them, on a simulated API server.

mod copies;
mod mould;
mod recorder;
mod request;
mod serve;
mod server;
mod stencil;
mod template;
mod watch;

#[cfg(test)]
mod as_client;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use self::copies::Copies;
use self::mould::Mould;
use self::serve::serve;
use self::server::{Counts, Server};
use self::template::Template;
use crate::fleet::program::Operator;
use crate::fleet::{LIMIT, Programs, STILL};
use crate::machine::{pause, wait_until_quiet};
use crate::on_cluster::QUIET;
use crate::report::{Budget, Line, Measured};

/// MiB that the operator may keep.
const MEMORY: f64 = 320.0;

/// Measures so many engines; `rounds` restarts of the operator.
pub fn measure(programs: &Programs, sizes: &[usize], rounds: u32) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let template = runtime.block_on(template::make(programs))?;
    let mut measured = Measured {
        lines: Vec::new(),
        busy: Vec::new(),
        notes: Vec::new(),
    };
    for size in sizes {
        measured.busy.push(wait_until_quiet(QUIET)?);
        let found = runtime.block_on(one(programs, &template, *size, rounds))?;
        measured.lines.extend(lines(programs, *size, &found));
        let strange = found.strange.map(|what| {
            format!("**The operator did what it should not need to**, first this: {what}")
        });
        measured.notes.extend(strange);
    }
    Ok(measured)
}

/// What the operator needed.
#[derive(Debug, Default)]
struct Found {
    seconds: f64,
    writes: f64,
    memory: f64,
    most_memory: f64,
    writes_at_rest: f64,
    restarts: Vec<f64>,
    writes_of_restarts: Vec<f64>,
    memory_after_restart: Vec<f64>,
    most_memory_of_restarts: Vec<f64>,
    memory_long_after_restart: f64,
    reads_a_second: f64,
    strange: Option<String>,
}

async fn one(
    programs: &Programs,
    template: &Template,
    size: usize,
    rounds: u32,
) -> anyhow::Result<Found> {
    eprintln!("    {size} stopped engines");
    let copies = Copies::new(Mould::all(template)?, size);
    let server = Server::new(copies, template.class.clone());
    let kubeconfig = programs.scratch.join("simulated.json");
    let _serving = serve(server.router(), &kubeconfig).await?;
    let bench = Bench {
        programs,
        server: &server,
        kubeconfig,
        size,
    };
    let mut found = Found::default();
    bench.first_start(&mut found)?;
    eprintln!("    {found:?}");
    for turn in 1..=rounds {
        bench.restart(turn, turn == rounds, &mut found)?;
    }
    found.strange = server.counts().first_strange;
    eprintln!("    {found:?}");
    Ok(found)
}

struct Bench<'a> {
    programs: &'a Programs,
    server: &'a Server,
    kubeconfig: PathBuf,
    size: usize,
}

impl Bench<'_> {
    fn start(&self, turn: u32) -> anyhow::Result<Operator> {
        let log = self.programs.scratch.join(format!("stopped-{turn}.log"));
        Operator::start(&self.programs.operator, &["run"], &self.kubeconfig, &log)
    }

    fn writes(&self) -> anyhow::Result<f64> {
        let Counts {
            rests,
            events,
            strange,
            ..
        } = self.server.counts();
        Ok(u32::try_from(rests + events + strange)?.into())
    }

    /// Each engine is looked at, and is at rest from then on.
    fn first_start(&self, found: &mut Found) -> anyhow::Result<()> {
        let mut operator = self.start(0)?;
        found.seconds = operator.until_quiet(self.size, STILL, LIMIT)?;
        (found.memory, found.most_memory) = operator.memory()?;
        let writes = self.writes()?;
        found.writes = writes / f64::from(u32::try_from(self.size)?);
        pause(self.programs.quiet);
        found.writes_at_rest = self.writes()? - writes;
        operator.stop()
    }

    /// Engines that were at rest are known by their marks; the first looks at them are spread over half an hour.
    fn restart(&self, turn: u32, is_last: bool, found: &mut Found) -> anyhow::Result<()> {
        let before = self.writes()?;
        let mut operator = self.start(turn)?;
        let known = operator.until_known(self.size, LIMIT)?;
        found.restarts.push(known);
        pause(STILL);
        let (memory, most_memory) = operator.memory()?;
        found.memory_after_restart.push(memory);
        found.most_memory_of_restarts.push(most_memory);
        if is_last {
            let reads = self.server.counts().reads;
            pause(self.programs.quiet);
            let reads = self.server.counts().reads - reads;
            found.reads_a_second =
                f64::from(u32::try_from(reads)?) / self.programs.quiet.as_secs_f64();
            found.memory_long_after_restart = operator.memory()?.0;
        }
        operator.stop()?;
        found.writes_of_restarts.push(self.writes()? - before);
        Ok(())
    }
}

fn lines(programs: &Programs, size: usize, found: &Found) -> Vec<Line> {
    let line = |what: &str, unit: &str, ours: Vec<f64>, most: Option<f64>| Line {
        what: format!("{size} stopped engines: {what}"),
        unit: unit.to_owned(),
        ours,
        against: None,
        budget: most.map(Budget::Median),
    };
    let quiet = programs.quiet.as_secs();
    vec![
        line("memory at rest", "MiB", vec![found.memory], Some(MEMORY)),
        line("memory at most", "MiB", vec![found.most_memory], None),
        line(
            "memory after a restart",
            "MiB",
            found.memory_after_restart.clone(),
            Some(MEMORY),
        ),
        line(
            &format!("memory {quiet} s after a restart"),
            "MiB",
            vec![found.memory_long_after_restart],
            Some(MEMORY),
        ),
        line(
            "memory at most after a restart",
            "MiB",
            found.most_memory_of_restarts.clone(),
            None,
        ),
        line("first start until quiet", "s", vec![found.seconds], None),
        // That it is at rest.
        line(
            "writes an engine at the first start",
            "",
            vec![found.writes],
            Some(1.0),
        ),
        line(
            &format!("writes in {quiet} quiet seconds"),
            "",
            vec![found.writes_at_rest],
            Some(0.0),
        ),
        line(
            "restart until all are known",
            "s",
            found.restarts.clone(),
            None,
        ),
        line(
            "writes after a restart",
            "",
            found.writes_of_restarts.clone(),
            Some(0.0),
        ),
        line(
            &format!("reads a second in the {quiet} s after a restart"),
            "",
            vec![found.reads_a_second],
            None,
        ),
    ]
}
