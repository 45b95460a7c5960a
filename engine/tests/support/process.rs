//! The real binary.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use userengine_api::refusal::Refusal;

use super::request::{Answer, get};
use super::volume::Volume;
use super::{key_text, sha256};

/// Longer than anything here takes, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_mins(1);
pub const API_KEY: &str = "api-key-for-tests";

/// An engine that is about to start: variables, and a termination log outside the volume.
pub struct Setup {
    variables: BTreeMap<String, OsString>,
    outside: TempDir,
}

impl Setup {
    /// Everything an engine needs, with key number 1.
    pub fn new(volume: &Volume) -> Self {
        let setup = Self {
            variables: BTreeMap::new(),
            outside: tempfile::tempdir().unwrap(),
        };
        fs::write(setup.outside.path().join("termination-log"), "").unwrap();
        setup
            .with("SQLITE_DB_PATH", volume.brain())
            .with("AD_ENCRYPTION_KEY", key_text(1))
            .with("ENGINE_KEY_HASH", sha256(API_KEY))
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

    pub fn spawn(&self) -> Engine {
        let mut child = Command::new(env!("CARGO_BIN_EXE_engine"))
            .arg("serve")
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

    pub fn internal(&self, path: &str) -> Answer {
        get(self.internal.unwrap(), path, "")
    }

    /// A connection whose request never gets complete. It was accepted when this returns.
    pub fn hang(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.api.unwrap()).unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: ").unwrap();
        // Connections are accepted in order.
        assert_eq!(self.api("/health", "").status, 200);
        stream
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // An engine that has ended cannot be killed, and that is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
