//! The comparisons of `docs/benchmarks.md`. `tests/bench.sh` builds what this needs and runs it.

mod apply;
mod away;
mod by_hand;
mod connectors;
mod fleet;
mod idle;
mod images;
mod machine;
mod on_cluster;
mod report;
mod rotation;
mod server;
mod start;
mod stopped;
mod summary;
mod text;
mod watching;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::connectors::Programs;
use crate::report::{Measured, Part, PartName, Report};
use crate::server::Servers;

/// Engines of the part `fleet`.
const FLEET: [usize; 1] = [1_000];
/// Engines of the part `large-fleet`.
const LARGE_FLEET: [usize; 1] = [10_000];
/// Engines of the part `stopped`.
const STOPPED: [usize; 1] = [100_000];

/// Measures the named parts and writes them, beside the parts measured before, as JSON and Markdown.
#[derive(Parser)]
struct Arguments {
    /// What to measure.
    #[arg(required = true)]
    parts: Vec<PartName>,
    /// Rounds of each part; without it, each part's own number.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=200))]
    rounds: Option<u32>,
    /// Folder with the images and `bin/engine`.
    #[arg(long)]
    dist: PathBuf,
    /// Folder with the examples `bare`, `echo` and `rotate`, built like the engine.
    #[arg(long)]
    examples: PathBuf,
    /// The proxy of the crate `mcp-proxy`.
    #[arg(long)]
    crate_proxy: PathBuf,
    /// Python with FastMCP and `cryptography`.
    #[arg(long)]
    python: PathBuf,
    /// Calls of the part `growth`.
    #[arg(long, default_value_t = 1_000_000)]
    calls: usize,
    /// Engines of the parts `fleet`, `large-fleet` and `stopped`; more than one number is measured one after the other. Without it, each part's own.
    #[arg(long, value_delimiter = ',')]
    engines: Option<Vec<usize>>,
    /// Seconds for which these parts watch that nothing is written.
    #[arg(long, default_value_t = 300)]
    quiet: u64,
    /// Rows of a round of the part `rotation`; ten times as many for its memory.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rows: u32,
    /// An empty folder for brains, on the disk that is to be measured.
    #[arg(long)]
    scratch: PathBuf,
    /// Where `benchmarks.md` and `benchmarks.json` go.
    #[arg(long)]
    out: PathBuf,
    /// What is measured.
    #[arg(long)]
    commit: String,
    /// Today.
    #[arg(long)]
    date: String,
}

impl Arguments {
    fn rounds(&self, part: PartName) -> u32 {
        self.rounds.unwrap_or(part.rounds())
    }

    fn measure(&self, part: PartName) -> anyhow::Result<Measured> {
        let rounds = self.rounds(part);
        let bare = self.examples.join("bare");
        let servers = Servers::new(&self.engine(), &bare, &self.scratch);
        let programs = self.programs();
        match part {
            PartName::Apply => apply::measure(rounds),
            PartName::Start => start::measure(&servers, rounds),
            PartName::Idle => idle::measure(&servers, rounds),
            PartName::Images => images::measure(&self.dist),
            PartName::Calls => connectors::calls(&programs, rounds),
            PartName::Growth => connectors::growth(&programs, self.calls),
            PartName::Connected => connectors::connected(&programs, rounds),
            PartName::Outages => connectors::outages(&programs, rounds),
            PartName::Hangs => connectors::hangs(&programs, rounds),
            PartName::Rotation => rotation::measure(&self.rotation(), rounds, self.rows),
            PartName::Away => away::measure(rounds),
            PartName::Fleet => fleet::measure(&self.fleet(), self.engines(&FLEET), rounds),
            PartName::LargeFleet => {
                fleet::measure_in_turn(&self.fleet(), self.engines(&LARGE_FLEET), rounds)
            }
            PartName::Stopped => stopped::measure(&self.fleet(), self.engines(&STOPPED), rounds),
        }
    }

    fn engines<'a>(&'a self, own: &'a [usize]) -> &'a [usize] {
        self.engines.as_deref().unwrap_or(own)
    }

    fn engine(&self) -> PathBuf {
        self.dist.join("bin/engine")
    }

    fn programs(&self) -> Programs {
        Programs {
            engine: self.engine(),
            echo: self.examples.join("echo"),
            crate_proxy: self.crate_proxy.clone(),
            python: self.python.clone(),
            scratch: self.scratch.clone(),
        }
    }

    fn rotation(&self) -> rotation::Programs {
        rotation::Programs {
            rotate: self.examples.join("rotate"),
            python: self.python.clone(),
            scratch: self.scratch.clone(),
        }
    }

    fn fleet(&self) -> fleet::Programs {
        fleet::Programs {
            operator: self.dist.join("bin/operator"),
            plain: self.examples.join("plain"),
            scratch: self.scratch.clone(),
            quiet: Duration::from_secs(self.quiet),
        }
    }

    fn part(&self, name: PartName) -> anyhow::Result<Part> {
        Ok(Part {
            date: self.date.clone(),
            commit: self.commit.clone(),
            rounds: self.rounds(name),
            machine: machine::describe(),
            measured: self.measure(name)?,
        })
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut report = Report::read(&arguments.out)?;
    let mut failed = false;
    for name in &arguments.parts {
        let began = Instant::now();
        match arguments.part(*name) {
            Ok(part) => {
                report.replace(*name, part);
                // After every part, so that a later failure loses nothing.
                report.write(&arguments.out)?;
                eprintln!("    {name} took {:.0} s", began.elapsed().as_secs_f64());
            }
            Err(error) => {
                eprintln!("    {name} did not run: {error:#}");
                failed = true;
            }
        }
    }
    print!("{}", report.table());
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
