//! The machine: what it is, how busy others keep it, and how fast its disk keeps what it is told.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::summary::{Summary, number};

/// Above this share of all cores, other work disturbs a measurement.
pub const QUIET_PERCENT: f64 = 15.0;

/// Processor, memory and kernel in one line.
pub fn describe() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = field(&cpu, "model name").unwrap_or("unknown processor");
    let cores = cpu.matches("\nprocessor").count() + usize::from(cpu.starts_with("processor"));
    let memory = read("/proc/meminfo");
    let memory: u64 = field(&memory, "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{cores} × {model}, {} GiB, Linux {}",
        memory.div_ceil(1024 * 1024),
        kernel.trim()
    )
}

/// The value of `name: value` in a file of /proc.
pub fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// Sleeps: between two polls, or while a measured process is left alone.
#[expect(
    clippy::disallowed_methods,
    reason = "the pause is what is measured, or the step of a poll that has a deadline"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until others use less than [`QUIET_PERCENT`] of the machine, or for `limit`.
/// Gives the share in percent that was used in the last look.
pub fn wait_until_quiet(limit: Duration) -> anyhow::Result<f64> {
    let end = Instant::now() + limit;
    let mut before = CpuTime::read()?;
    loop {
        pause(Duration::from_millis(200));
        let now = CpuTime::read()?;
        let busy = now.busy_percent_since(&before);
        if busy < QUIET_PERCENT || Instant::now() > end {
            return Ok((busy * 10.0).round() / 10.0);
        }
        before = now;
    }
}

struct CpuTime {
    idle: f64,
    total: f64,
}

impl CpuTime {
    /// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
    fn read() -> anyhow::Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("failed to read /proc/stat")?;
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<f64> = line
            .split_whitespace()
            .skip(1)
            .take(8)
            .filter_map(|text| text.parse().ok())
            .collect();
        Ok(Self {
            idle: ticks.iter().skip(3).take(2).sum(),
            total: ticks.iter().sum(),
        })
    }

    fn busy_percent_since(&self, before: &Self) -> f64 {
        let total = (self.total - before.total).max(1.0);
        100.0 * (total - (self.idle - before.idle)) / total
    }
}

/// What one 4 KiB write that is durable costs in this folder, in words.
pub fn describe_disk(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("fsync");
    let mut file = File::create(&path).context("failed to make a file in the scratch folder")?;
    let mut rounds = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        rounds.push(milliseconds(began.elapsed()));
    }
    fs::remove_file(path)?;
    let took = Summary::of(&rounds).context("no rounds")?;
    Ok(format!(
        "The brains lay on the disk of the repository's target folder, where a durable write of 4 KiB took {took} ms."
    ))
}

/// For a table or a JSON file: microseconds are as fine as it gets.
pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// How busy others kept the machine, in words that are true of any run.
pub fn describe_busy(busy: &[f64]) -> String {
    let Some(summary) = Summary::of(busy) else {
        return "not looked at".to_owned();
    };
    let disturbed = busy.iter().filter(|busy| **busy >= QUIET_PERCENT).count();
    let warning = if disturbed > 0 {
        format!(
            "; **{disturbed} of {} began on a busy machine (over {} %)**",
            busy.len(),
            number(QUIET_PERCENT)
        )
    } else {
        String::new()
    };
    format!("{summary} %{warning}")
}
