//! The real binary.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;
use userengine_api::refusal::Refusal;
use userengine_rotation::verdict::Verdict;

use super::request::{Answer, attempt, get};
use super::room::Room;
use super::volume::Volume;
use super::{key_text, sha256};

/// Longer than anything here takes, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_mins(1);
pub const API_KEY: &str = "api-key-for-tests";

/// An engine that is about to start: variables, and a termination log outside the volume.
pub struct Setup {
    subcommand: &'static str,
    variables: BTreeMap<String, OsString>,
    outside: TempDir,
    failing_writes: bool,
    /// Goes before the program.
    enter: Vec<String>,
}

impl Setup {
    /// Everything an engine needs, with key number 1.
    pub fn new(volume: &Volume) -> Self {
        let mut setup = Self::of("serve");
        setup.enter = volume.room().map(Room::enter).unwrap_or_default();
        setup
            .with("SQLITE_DB_PATH", volume.brain())
            .with("AD_ENCRYPTION_KEY", key_text(1))
            .with("ENGINE_KEY_HASH", sha256(API_KEY))
    }

    /// Everything a relay needs.
    pub fn relay() -> Self {
        let template = "https://{name}.{namespace}.engines.example.com";
        Self::of("relay")
            .with("OAUTH_REDIRECT_BASE_URL", "https://relay.example.com")
            .with("ENGINE_URL_TEMPLATE", template)
    }

    /// Everything that a container of a rotation's Job needs, but the rotation.
    pub fn job(subcommand: &'static str, volume: &Volume, ring: &Path) -> Self {
        let mut setup = Self::of(subcommand);
        setup.enter = volume.room().map(Room::enter).unwrap_or_default();
        setup
            .with("SQLITE_DB_PATH", volume.brain())
            .with("KEYRING_DIR", ring)
    }

    fn of(subcommand: &'static str) -> Self {
        let setup = Self {
            subcommand,
            variables: BTreeMap::new(),
            outside: tempfile::tempdir().unwrap(),
            failing_writes: false,
            enter: Vec::new(),
        };
        fs::write(setup.outside.path().join("termination-log"), "").unwrap();
        setup
            .with("LISTEN_ADDR", "127.0.0.1:0")
            .with("INTERNAL_ADDR", "127.0.0.1:0")
    }

    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// A write that fails because of [`Files::let_none_grow`] is an error then, and not the end of the process.
    pub fn with_failing_writes(mut self) -> Self {
        self.failing_writes = true;
        self
    }

    fn program(&self) -> Command {
        let engine = env!("CARGO_BIN_EXE_engine");
        let mut words: Vec<&str> = self.enter.iter().map(String::as_str).collect();
        if self.failing_writes {
            // A signal that is ignored stays ignored in what a shell becomes.
            words.extend(["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
        }
        words.push(engine);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    }

    pub fn spawn(&self) -> Engine {
        let mut child = self
            .program()
            .arg(self.subcommand)
            .arg("--termination-log")
            .arg(self.outside.path().join("termination-log"))
            .env_clear()
            .envs(&self.variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Engine {
            child,
            lines,
            log: Vec::new(),
            api: None,
            internal: None,
        }
    }

    /// Starts an engine that serves.
    pub fn start(&self) -> Engine {
        let mut engine = self.spawn();
        let line = engine.wait_for("serving");
        let address = |name: &str| line[name].as_str().and_then(|text| text.parse().ok());
        (engine.api, engine.internal) = (address("api"), address("internal"));
        engine
    }

    /// Starts a container of a Job.
    pub fn start_job(&self) -> Engine {
        let mut job = self.spawn();
        let line = job.wait_for("working");
        job.internal = line["internal"].as_str().and_then(|text| text.parse().ok());
        job
    }

    /// Runs a container of a Job to its end; gives its verdict, which it says in two places.
    pub fn verdict(&self) -> (Verdict, Ended) {
        self.verdict_of(self.spawn())
    }

    /// The same of one that runs.
    pub fn verdict_of(&self, job: Engine) -> (Verdict, Ended) {
        let ended = job.wait();
        let left = fs::read_to_string(self.outside.path().join("termination-log")).unwrap();
        let verdict = serde_json::from_str(&left).unwrap();
        assert!(left.len() <= 4096, "{left}");
        assert_eq!(
            serde_json::from_str::<Verdict>(&ended.stdout).unwrap(),
            verdict
        );
        (verdict, ended)
    }

    /// Starts an engine that must refuse, and checks all that is the same for every refusal.
    pub fn refused(&self, volume: &Volume) -> Refusal {
        let before = volume.content();
        let ended = self.spawn().wait();
        assert_eq!(
            volume.content(),
            before,
            "a refused volume stays as it was: {}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "");

        let left = fs::read_to_string(self.outside.path().join("termination-log")).unwrap();
        let refusal = Refusal::from_json(&left)
            .unwrap_or_else(|| panic!("no refusal in {left:?}: {}", ended.stderr));
        assert_eq!(
            ended.status.code(),
            Some(i32::from(refusal.reason.exit_code())),
            "{refusal}"
        );
        let last: Value = serde_json::from_str(ended.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&last["level"], &last["reason"]),
            (&"ERROR".into(), &refusal.reason.as_str().into())
        );
        assert_eq!(last["message"], refusal.message.as_str());
        refusal
    }
}

/// A running process, killed when dropped.
pub struct Engine {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    api: Option<SocketAddr>,
    internal: Option<SocketAddr>,
}

/// The limit on a process's files.
pub struct Files(Pid);

impl Files {
    /// From now on every write to a file fails, as on a disk that is broken.
    pub fn let_none_grow(&self) {
        self.limit(Some(0));
    }

    /// The disk is whole again.
    pub fn let_grow(&self) {
        self.limit(None);
    }

    fn limit(&self, current: Option<u64>) {
        let limit = Rlimit {
            current,
            maximum: None,
        };
        prlimit(Some(self.0), Resource::Fsize, limit).unwrap();
    }
}

/// A process that ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Engine {
    /// The next log line with this message.
    pub fn wait_for(&mut self, message: &str) -> Value {
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                panic!("no line with {message:?} in {:#?}", self.log)
            };
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            self.log.push(line);
            if event["message"] == message {
                return event;
            }
        }
    }

    /// Any line with this text, whatever the format.
    pub fn wait_for_text(&mut self, text: &str) {
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                panic!("no {text:?} in {:#?}", self.log)
            };
            let found = line.contains(text);
            self.log.push(line);
            if found {
                return;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Asks for a clean stop and waits for it.
    pub fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Ends the process like a crash.
    pub fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.wait()
    }

    pub fn wait(mut self) -> Ended {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => self.log.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("still running: {:#?}", self.log),
            }
        }
        let status = self.child.wait().unwrap();
        let mut stdout = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        Ended {
            status,
            stdout,
            stderr: self.log.join("\n"),
        }
    }

    pub fn api(&self, path: &str, headers: &str) -> Answer {
        get(self.api.unwrap(), path, headers)
    }

    /// Where the API is.
    pub fn address(&self) -> SocketAddr {
        self.api.unwrap()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A request with the key; `None` if the engine ended before it answered.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
        let key = format!("X-Engine-Key: {API_KEY}\r\n");
        attempt(self.api.unwrap(), method, path, &key, body)
    }

    /// What this engine may do with files.
    pub fn files(&self) -> Files {
        Files(Pid::from_child(&self.child))
    }

    pub fn internal(&self, path: &str) -> Answer {
        get(self.internal.unwrap(), path, "")
    }

    /// A connection whose request never gets complete. It was accepted when this returns.
    pub fn hang(&self) -> TcpStream {
        self.hang_at("/health")
    }

    /// The same at a path that answers.
    pub fn hang_at(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.api.unwrap()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: ").unwrap();
        // Connections are accepted in order.
        assert_eq!(self.api(path, "").status, 200);
        stream
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log: Vec<String> = self.log.drain(..).chain(self.lines.try_iter()).collect();
            let last = log.len().saturating_sub(40);
            eprintln!("the engine's last lines:\n{}", log[last..].join("\n"));
        }
        // An engine that has ended cannot be killed, and that is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
