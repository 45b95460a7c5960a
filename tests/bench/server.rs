//! The two servers as processes: the engine, and the bare server that it is compared with.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use userengine_api::key::EncryptionKey;
use userengine_api::layout::env;

use crate::machine::{milliseconds, pause};

/// Pause between two attempts to connect.
pub const POLL: Duration = Duration::from_micros(200);
/// Longer than a start or a stop takes on any machine.
const DEADLINE: Duration = Duration::from_secs(20);
/// Any key will do: nobody asks for it.
pub const API_KEY: &str = "bench-api-key";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The engine.
    Engine,
    /// The bare server.
    Bare,
}

/// The programs, and where their files go.
pub struct Servers {
    engine: PathBuf,
    bare: PathBuf,
    scratch: PathBuf,
}

impl Servers {
    /// Programs, and a folder that is empty.
    pub fn new(engine: &Path, bare: &Path, scratch: &Path) -> Self {
        Self {
            engine: engine.to_owned(),
            bare: bare.to_owned(),
            scratch: scratch.to_owned(),
        }
    }

    /// The folder for brains and logs.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Makes a brain by a first start, and stops the engine in good order.
    pub fn make_brain(&self, name: &str) -> anyhow::Result<u64> {
        fs::create_dir(self.scratch.join(name))?;
        self.start_in(Kind::Engine, name, "create")?.server.stop()?;
        Ok(fs::metadata(self.brain(name))?.len())
    }

    /// Starts a server and waits for its first answer. An engine opens the brain of this name.
    pub fn start(&self, kind: Kind, name: &str) -> anyhow::Result<Started> {
        self.start_in(kind, name, "existing")
    }

    fn start_in(&self, kind: Kind, name: &str, mode: &str) -> anyhow::Result<Started> {
        let (address, internal) = (free_address()?, free_address()?);
        let log = self.scratch.join(format!("{name}-{kind:?}.log"));
        let mut command = match kind {
            Kind::Bare => {
                let mut command = Command::new(&self.bare);
                command.arg(address.to_string());
                command
            }
            Kind::Engine => {
                let mut command = Command::new(&self.engine);
                command.arg("serve").env_clear().envs([
                    (env::SQLITE_DB_PATH, self.brain(name).display().to_string()),
                    (env::BRAIN_MODE, mode.to_owned()),
                    (
                        env::AD_ENCRYPTION_KEY,
                        EncryptionKey::from_bytes([7; 32]).text().to_string(),
                    ),
                    (env::ENGINE_API_KEY, API_KEY.to_owned()),
                    (env::LISTEN_ADDR, address.to_string()),
                    (env::INTERNAL_ADDR, internal.to_string()),
                ]);
                command
            }
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let began = Instant::now();
        let mut server = Server::spawn(command)?;
        let answered = first_answer(&mut server, address, began)
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        let cpu = server.cpu()?.iter().map(|thread| thread.used).sum();
        Ok(Started {
            server,
            address,
            answered,
            cpu,
        })
    }

    fn brain(&self, name: &str) -> PathBuf {
        self.scratch.join(name).join("brain.sqlite")
    }
}

/// A server that has answered once.
pub struct Started {
    /// The process.
    pub server: Server,
    /// Where it answers.
    pub address: SocketAddr,
    /// From just before the process was made until the first bytes of the first 200 were here.
    pub answered: Duration,
    /// CPU that its threads had used by then.
    pub cpu: Duration,
}

/// A running process. Dropped, it is killed.
pub struct Server {
    child: Child,
}

/// CPU that one thread has used.
pub struct Thread {
    id: String,
    used: Duration,
}

impl Server {
    /// Starts a program.
    pub fn spawn(mut command: Command) -> anyhow::Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("failed to run {command:?}"))?;
        Ok(Self { child })
    }

    /// Has it ended by itself?
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), signal).context("failed to send a signal")
    }

    /// Stops it with SIGTERM and waits for its end.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).context("failed to send SIGTERM")?;
        let end = Instant::now() + DEADLINE;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < end, "process {pid:?} did not stop");
            pause(Duration::from_millis(1));
        }
        Ok(())
    }

    /// CPU of every thread. To the nanosecond, where /proc/PID/stat counts in hundredths of a second.
    pub fn cpu(&self) -> anyhow::Result<Vec<Thread>> {
        let mut threads = Vec::new();
        for entry in fs::read_dir(self.proc("task"))? {
            let entry = entry?;
            // A thread that ends in between is no error.
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else {
                continue;
            };
            let used = text
                .split_whitespace()
                .next()
                .context("schedstat is empty")?;
            threads.push(Thread {
                id: entry.file_name().to_string_lossy().into_owned(),
                used: Duration::from_nanos(used.parse()?),
            });
        }
        Ok(threads)
    }

    /// CPU used since `before` by all threads that live now.
    pub fn cpu_since(&self, before: &[Thread]) -> anyhow::Result<Duration> {
        let used_before = |id: &str| {
            let found = before.iter().find(|thread| thread.id == id);
            found.map_or(Duration::ZERO, |thread| thread.used)
        };
        Ok(self
            .cpu()?
            .iter()
            .map(|thread| thread.used.saturating_sub(used_before(&thread.id)))
            .sum())
    }

    /// A value in KiB from a file of /proc/PID, as MiB.
    pub fn memory(&self, file: &str, name: &str) -> anyhow::Result<f64> {
        let path = self.proc(file);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("failed to read {} (an engine's needs root)", path.display())
        })?;
        let value = crate::machine::field(&text, name).with_context(|| format!("no {name}"))?;
        let kib: u32 = value.trim_end_matches("kB").trim().parse()?;
        Ok((f64::from(kib) / 1024.0 * 1000.0).round() / 1000.0)
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.child.id().to_string())
            .join(file)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may have ended by itself since, which is just as well.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A port outside the range from which the kernel takes the client's: a client that tries to connect to a port of
/// that range long enough will be given this very port and be connected with itself.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(21_000);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        ensure!(port < 32_000, "no port is free");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
}

fn first_answer(
    server: &mut Server,
    address: SocketAddr,
    began: Instant,
) -> anyhow::Result<Duration> {
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => {
                ask(stream)?;
                return Ok(began.elapsed());
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error).context("failed to connect"),
        }
        if began.elapsed() > DEADLINE {
            bail!(
                "no answer in {DEADLINE:?}; ended: {:?}",
                server.child.try_wait()?
            );
        }
        pause(POLL);
    }
}

/// Sends `GET /health` and waits for the first bytes of a 200.
pub fn ask(mut stream: TcpStream) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_nodelay(true)?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 1024];
    let length = stream.read(&mut head)?;
    let head = String::from_utf8_lossy(head.get(..length).unwrap_or_default());
    ensure!(head.starts_with("HTTP/1.1 200 "), "answered {head:?}");
    Ok(())
}

/// What the way of measuring adds, in milliseconds.
pub struct Method {
    /// An attempt to connect that is refused, with the pause after it.
    pub step: Vec<f64>,
    /// The attempt alone: what the poll takes from the machine.
    pub attempt: Vec<f64>,
    /// Connecting to a server that runs, and its answer.
    pub request: Vec<f64>,
    /// Making a process that ends at once, and its end.
    pub process: Vec<f64>,
}

impl Method {
    /// Measures each of them `rounds` times.
    pub fn measure(running: SocketAddr, rounds: u32) -> anyhow::Result<Self> {
        let closed = free_address()?;
        let mut method = Self {
            step: Vec::new(),
            attempt: Vec::new(),
            request: Vec::new(),
            process: Vec::new(),
        };
        for _ in 0..rounds {
            let began = Instant::now();
            ensure!(
                TcpStream::connect(closed).is_err(),
                "somebody listens on {closed}"
            );
            method.attempt.push(milliseconds(began.elapsed()));
            pause(POLL);
            method.step.push(milliseconds(began.elapsed()));

            let began = Instant::now();
            ask(TcpStream::connect(running)?)?;
            method.request.push(milliseconds(began.elapsed()));

            let began = Instant::now();
            Command::new("true").stdin(Stdio::null()).status()?;
            method.process.push(milliseconds(began.elapsed()));
        }
        Ok(method)
    }
}
