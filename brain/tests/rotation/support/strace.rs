//! System calls on the brain and the files beside it: listed, failing, or the last that a process makes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Fault, Volume};

/// What SQLite changes files with.
pub const CALLS: [&str; 5] = ["pwrite64", "fdatasync", "fsync", "ftruncate", "unlink"];

/// What becomes of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// SIGKILL instead of it.
    Kill,
    /// Input/output error.
    Eio,
    /// No space left on device.
    Enospc,
}

/// Is it installed?
pub fn has_strace() -> bool {
    Command::new("strace").arg("-V").output().is_ok()
}

/// One run under `strace`, with its log beside the brain.
#[derive(Debug)]
pub struct Strace {
    log: PathBuf,
    arguments: Vec<String>,
}

impl Strace {
    /// What this fault needs; most need none.
    pub fn of(volume: &Volume, fault: &Fault) -> Option<Self> {
        let Fault::Call(call, nth, harm) = fault else {
            return None;
        };
        let harm = match harm {
            Harm::Kill => "signal=SIGKILL",
            Harm::Eio => "error=EIO",
            Harm::Enospc => "error=ENOSPC",
        };
        let mut strace = Self::watching(volume, call).only_the_brain(volume);
        strace.option("-e", format!("inject={call}:{harm}:when={nth}"));
        // The kernel's filter lets other calls pass at full speed; behind it no signal can be sent.
        if !harm.starts_with("signal") {
            strace.arguments.push("--seccomp-bpf".to_owned());
        }
        Some(strace)
    }

    /// Writes these calls down and lets them pass.
    pub fn watching(volume: &Volume, calls: &str) -> Self {
        let mut strace = Self {
            log: volume.folder().join("calls.log"),
            arguments: vec!["-f".to_owned(), "-qq".to_owned()],
        };
        strace.option("-o", strace.log.display().to_string());
        strace.option("-e", "signal=none".to_owned());
        strace.option("-e", format!("trace={calls}"));
        strace
    }

    /// Nothing but calls on the brain, the files beside it and their folder.
    pub fn only_the_brain(mut self, volume: &Volume) -> Self {
        self.option("-P", volume.folder().display().to_string());
        for suffix in ["", "-wal", "-shm", "-journal"] {
            self.option("-P", format!("{}{suffix}", volume.brain().display()));
        }
        self
    }

    fn option(&mut self, name: &str, value: String) {
        self.arguments.extend([name.to_owned(), value]);
    }

    /// What starts this program under it.
    pub fn command(&self, program: &Path) -> Command {
        let mut strace = Command::new("strace");
        strace.args(&self.arguments).arg(program);
        strace
    }

    /// What was written down.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The call was reached, and did fail.
    pub fn injected(&self) -> bool {
        self.log().lines().any(|line| line.ends_with("(INJECTED)"))
    }
}

/// How often each is made by the thread that makes most of them: `strace` counts by thread.
pub fn most_by_one_thread(log: &str) -> Vec<(&'static str, u64)> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        if let Some((call, _)) = rest.trim_start().split_once('(') {
            *counts.entry((call, thread)).or_default() += 1;
        }
    }
    let most = |call: &'static str| {
        let of_call = counts.iter().filter(|((name, _), _)| *name == call);
        (call, of_call.map(|(_, count)| *count).max().unwrap_or(0))
    };
    CALLS.map(most).into()
}
