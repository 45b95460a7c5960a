//! The change of a key without a cluster: our rows a second beside those of Python's library on the same rows.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::machine::{describe_disk, wait_until_quiet};
use crate::report::{Against, Budget, Line, Measured};
use crate::summary::number;

/// How many times the rows of a round lie in the brain whose change must fit into little memory.
const LARGE: u32 = 10;
/// How long a round waits for a quiet machine.
const QUIET: Duration = Duration::from_secs(5);
const BRAIN: &str = "brain.sqlite";

/// The programs of both sides.
pub struct Programs {
    /// Our example `rotate`.
    pub rotate: PathBuf,
    /// Python with `cryptography`.
    pub python: PathBuf,
    /// For brains: two of them lie here at a time.
    pub scratch: PathBuf,
}

/// What our side says of one run.
#[derive(Debug, Deserialize)]
struct Ours {
    rows: u32,
    migrate_s: f64,
    migrate_rows_per_s: f64,
    verify_s: f64,
    verify_rows_per_s: f64,
    peak_rss_mib: f64,
}

/// What Python's side says.
#[derive(Debug, Deserialize)]
struct Theirs {
    rows: u32,
    rotate_rows_per_s: f64,
}

/// Our rounds.
#[derive(Default)]
struct Rates {
    migrate: Vec<f64>,
    verify: Vec<f64>,
    both: Vec<f64>,
}

impl Rates {
    fn take(&mut self, run: &Ours) {
        self.migrate.push(run.migrate_rows_per_s);
        self.verify.push(run.verify_rows_per_s);
        let seconds = run.migrate_s + run.verify_s;
        self.both.push((f64::from(run.rows) / seconds).round());
    }
}

/// Measures `rounds` of each side on so many rows, in turns, and then ours once on ten times as many.
pub fn measure(programs: &Programs, rounds: u32, rows: u32) -> anyhow::Result<Measured> {
    let folder = programs.scratch.join("rotation");
    fs::create_dir_all(&folder)?;
    let disk = describe_disk(&folder)?;
    let measured = programs.measure_in(&folder, rounds, rows);
    // Gigabytes, which nobody is to find on the disk of a part that failed.
    fs::remove_dir_all(&folder)?;
    let mut measured = measured?;
    measured.notes.insert(0, disk);
    Ok(measured)
}

impl Programs {
    fn measure_in(&self, folder: &Path, rounds: u32, rows: u32) -> anyhow::Result<Measured> {
        let filled = folder.join("filled");
        eprintln!("    filling a brain with {rows} rows");
        self.fill(&filled, rows)?;
        let mut notes = vec![format!(
            "A brain of {rows} rows is a file of {} MiB.",
            mebibytes(&filled)?
        )];
        let (mut ours, mut theirs, mut busy) = (Rates::default(), Vec::new(), Vec::new());
        for round in 0..rounds {
            for ours_now in [round % 2 == 0, round % 2 == 1] {
                let copy = folder.join("copy");
                copied(&filled, &copy)?;
                busy.push(wait_until_quiet(QUIET)?);
                if ours_now {
                    ours.take(&self.ours(&copy, rows)?);
                } else {
                    theirs.push(self.theirs(&copy, rows)?);
                }
                fs::remove_dir_all(&copy)?;
            }
            let last = |rounds: &[f64]| rounds.last().copied().map(number).unwrap_or_default();
            eprintln!(
                "    round {} of {rounds}: migrate {} rows/s, verify {} rows/s, Python {} rows/s",
                round + 1,
                last(&ours.migrate),
                last(&ours.verify),
                last(&theirs)
            );
        }
        fs::remove_dir_all(&filled)?;
        let large = self.large(&folder.join("large"), rows * LARGE, &mut notes)?;
        Ok(Measured {
            lines: lines(rows, ours, &theirs, &large),
            busy,
            notes,
        })
    }

    fn large(&self, folder: &Path, rows: u32, notes: &mut Vec<String>) -> anyhow::Result<Ours> {
        eprintln!("    filling a brain with {rows} rows (about 1 minute for 1,000,000)");
        self.fill(folder, rows)?;
        notes.push(format!(
            "A brain of {rows} rows is a file of {} MiB.",
            mebibytes(folder)?
        ));
        eprintln!("    changing its key (about 1 minute for 1,000,000)");
        self.ours(folder, rows)
    }

    fn fill(&self, folder: &Path, rows: u32) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        let status = Command::new(&self.rotate)
            .arg(folder)
            .args([&rows.to_string(), "fill"])
            .stdin(Stdio::null())
            .status()
            .context("failed to run the example rotate")?;
        ensure!(status.success(), "filling a brain ended with {status}");
        settle(&folder.join(BRAIN))
    }

    /// A process that does no more than this, so that its peak is that of the change.
    fn ours(&self, folder: &Path, rows: u32) -> anyhow::Result<Ours> {
        let mut command = Command::new(&self.rotate);
        let run: Ours = told(command.arg(folder).arg(rows.to_string()))?;
        ensure!(run.rows == rows, "{} of {rows} rows were sealed", run.rows);
        Ok(run)
    }

    fn theirs(&self, folder: &Path, rows: u32) -> anyhow::Result<f64> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../brain/examples/rotate.py");
        let run: Theirs = told(Command::new(&self.python).arg(script).arg(folder))?;
        ensure!(run.rows == rows, "{} of {rows} rows were sealed", run.rows);
        Ok(run.rotate_rows_per_s)
    }
}

/// The line of JSON that a program ends with.
fn told<T: DeserializeOwned>(command: &mut Command) -> anyhow::Result<T> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to run {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let said = || format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{command:?} failed: {}", said());
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("{command:?} said {}", said()))
}

/// The same brain in a folder of its own. It is on the disk and in the page cache, for whoever takes it.
fn copied(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    fs::copy(from.join(BRAIN), to.join(BRAIN))?;
    settle(&to.join(BRAIN))
}

/// What is still to be written would otherwise be written in somebody's time.
fn settle(brain: &Path) -> anyhow::Result<()> {
    Ok(File::open(brain)?.sync_all()?)
}

fn mebibytes(folder: &Path) -> anyhow::Result<u64> {
    Ok(fs::metadata(folder.join(BRAIN))?.len() >> 20)
}

fn lines(rows: u32, ours: Rates, theirs: &[f64], large: &Ours) -> Vec<Line> {
    let line = |what: String, unit: &str, ours: Vec<f64>, budget| Line {
        what,
        unit: unit.to_owned(),
        ours,
        against: None,
        budget,
    };
    let beside_python = |what: String, ours: Vec<f64>, budget| Line {
        against: Some(Against {
            what: "Python's `MultiFernet.rotate` + sqlite3".to_owned(),
            rounds: theirs.to_vec(),
        }),
        ..line(what, "rows/s", ours, budget)
    };
    let many = large.rows;
    vec![
        beside_python(
            format!("change of the key, {rows} rows: migrate (check and seal)"),
            ours.migrate,
            Some(Budget::Least(25_000.0)),
        ),
        line(
            format!("change of the key, {rows} rows: verify"),
            "rows/s",
            ours.verify,
            Some(Budget::Least(200_000.0)),
        ),
        beside_python(
            format!("change of the key, {rows} rows: migrate and verify together"),
            ours.both,
            None,
        ),
        line(
            format!("change of the key, {many} rows: peak resident memory"),
            "MiB",
            vec![large.peak_rss_mib],
            Some(Budget::Median(64.0)),
        ),
        line(
            format!("change of the key, {many} rows: migrate"),
            "rows/s",
            vec![large.migrate_rows_per_s],
            None,
        ),
        line(
            format!("change of the key, {many} rows: verify"),
            "rows/s",
            vec![large.verify_rows_per_s],
            None,
        ),
    ]
}
