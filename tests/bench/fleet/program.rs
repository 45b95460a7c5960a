//! An operator as a process of this machine, and what it says of itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::machine::pause;
use crate::server::{Server, free_address};

/// Which operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Ours,
    /// `Controller::new` with stores of all that it watches, as the documentation of kube shows it.
    Plain,
}

/// Begins each sample of its writes.
const WRITES: &str = "userengine_operator_api_writes_total{";

/// A running operator.
pub struct Operator {
    server: Server,
    address: SocketAddr,
    began: Instant,
}

/// What it has done so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Writes to the API server; Events and its lease aside.
    pub writes: f64,
    /// Reconciles that came to their end.
    pub reconciles: f64,
    /// Engines that it knows.
    pub engines: f64,
}

impl Operator {
    /// Starts it; `arguments` come before those that all take. Returns before it knows anything.
    pub fn start(
        program: &Path,
        arguments: &[&str],
        kubeconfig: &Path,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs([
                ("KUBECONFIG", kubeconfig.display().to_string()),
                ("OPERATOR_NAMESPACE", userengine_e2e::SYSTEM.to_owned()),
                ("OPERATOR_HTTP_ADDR", address.to_string()),
                ("OPERATOR_LOG_LEVEL", "warn".to_owned()),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?);
        let began = Instant::now();
        let server = Server::spawn(command)?;
        Ok(Self {
            server,
            address,
            began,
        })
    }

    /// Memory of its own, in MiB: now, and the most that it ever was.
    pub fn memory(&self) -> anyhow::Result<(f64, f64)> {
        let now = self.server.memory("status", "VmRSS")?;
        Ok((now, self.server.memory("status", "VmHWM")?))
    }

    /// What it has done so far; all 0 while it does not answer.
    pub fn counts(&mut self) -> anyhow::Result<Counts> {
        ensure!(!self.server.has_ended()?, "the operator ended: see its log");
        let text = self.metrics().unwrap_or_default();
        let sum = |name: &str| -> f64 {
            let lines = text.lines().filter(|line| line.starts_with(name));
            lines
                .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
                .fold(0.0, |sum, value| sum + value)
        };
        Ok(Counts {
            writes: sum(WRITES),
            reconciles: sum("userengine_operator_reconcile_duration_seconds_count{"),
            engines: sum("userengine_operator_engines{"),
        })
    }

    /// What it has written so far, by verb and kind.
    pub fn writes(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let text = self.metrics()?;
        let lines = text.lines().filter_map(|line| line.strip_prefix(WRITES));
        lines
            .map(|line| {
                let (labels, times) = line.rsplit_once("} ").context("a sample has a value")?;
                let words: Vec<_> = labels.split('"').skip(1).step_by(2).collect();
                Ok((words.join(" "), times.parse()?))
            })
            .collect()
    }

    /// Waits until it knows `engines` and has written nothing for `still`; gives the seconds from its start to the last write, or
    /// to when it knew them. Looks go on: ours looks at every engine every half hour.
    pub fn until_quiet(
        &mut self,
        engines: usize,
        still: Duration,
        limit: Duration,
    ) -> anyhow::Result<f64> {
        let quiet = self.quiet_within(engines, still, limit)?;
        quiet.with_context(|| format!("it is not quiet after {limit:?}"))
    }

    /// The same; `None` if it is not quiet within `limit` of its start.
    pub fn quiet_within(
        &mut self,
        engines: usize,
        still: Duration,
        limit: Duration,
    ) -> anyhow::Result<Option<f64>> {
        let wanted = f64::from(u32::try_from(engines)?);
        let done = |counts: Counts| (counts.writes, counts.engines);
        let (mut last, mut since) = (self.counts()?, self.began.elapsed());
        loop {
            pause(Duration::from_millis(100));
            let now = self.counts()?;
            if done(now) != done(last) {
                since = self.began.elapsed();
            }
            last = now;
            if last.engines >= wanted && self.began.elapsed() >= since + still {
                return Ok(Some(since.as_secs_f64()));
            }
            if self.began.elapsed() >= limit {
                return Ok(None);
            }
        }
    }

    /// Waits until it knows `engines`; gives the seconds from its start.
    pub fn until_known(&mut self, engines: usize, limit: Duration) -> anyhow::Result<f64> {
        let wanted = f64::from(u32::try_from(engines)?);
        while self.counts()?.engines < wanted {
            pause(Duration::from_millis(100));
            ensure!(
                self.began.elapsed() < limit,
                "it does not know all engines after {limit:?}"
            );
        }
        Ok(self.began.elapsed().as_secs_f64())
    }

    /// Stops it in good order.
    pub fn stop(self) -> anyhow::Result<()> {
        self.server.stop()
    }

    fn metrics(&self) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.address).context("nobody listens yet")?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}
