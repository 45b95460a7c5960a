//! One child, from its start to the end of its group.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::BufReader;
use tokio::process::ChildStdout;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::lines::Lines;
use crate::mcp::rpc::ANSWER_MAX;
use crate::mcp::stream::Source;

/// How long a child may take to end by itself once its standard input is closed.
const POLITE: Duration = Duration::from_millis(500);
/// How long it may take after SIGTERM.
const TERMINATE: Duration = Duration::from_secs(2);
/// How long its last words are read after it ended: a grandchild may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A child process.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    group: Group,
    lines: Lines<BufReader<ChildStdout>>,
    exited: Option<ExitStatus>,
    writing: AbortHandle,
}

/// The process group of a child. Dropped, it is killed.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may be gone already.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

impl Child {
    /// A child that was just started as the leader of its group. Aborting `writing` closes its standard input.
    pub fn new(process: tokio::process::Child, stdout: ChildStdout, writing: AbortHandle) -> Self {
        let pid = process.id().and_then(|id| i32::try_from(id).ok());
        Self {
            group: Group(pid.and_then(Pid::from_raw)),
            process,
            lines: Lines::new(BufReader::new(stdout), ANSWER_MAX),
            exited: None,
            writing,
        }
    }

    fn how_it_ended(&self) -> String {
        match self.exited {
            Some(status) => format!("the child ended with {status}"),
            None => "the child closed its standard output".to_owned(),
        }
    }
}

impl Source for Child {
    async fn next(&mut self) -> Result<Vec<u8>, String> {
        loop {
            let line = if self.exited.is_some() {
                timeout(LAST_WORDS, self.lines.next()).await.ok().flatten()
            } else {
                tokio::select! {
                    biased;
                    line = self.lines.next() => line,
                    status = self.process.wait() => {
                        self.exited = status.ok();
                        if self.exited.is_none() {
                            return Err(self.how_it_ended());
                        }
                        continue;
                    }
                }
            };
            match line {
                Some(line) if line.cut => {
                    return Err(format!("a line of more than {ANSWER_MAX} bytes"));
                }
                Some(line) if line.bytes.trim_ascii().is_empty() => {}
                Some(line) => return Ok(line.bytes),
                None => {
                    // Its output is closed: mostly because it ended, which then is the better reason.
                    if self.exited.is_none() {
                        let ended = timeout(LAST_WORDS, self.process.wait()).await;
                        self.exited = ended.ok().and_then(Result::ok);
                    }
                    return Err(self.how_it_ended());
                }
            }
        }
    }

    async fn close(&mut self) {
        self.writing.abort();
        if self.exited.is_none() && timeout(POLITE, self.process.wait()).await.is_err() {
            self.group.signal(Signal::TERM);
            let _ = timeout(TERMINATE, self.process.wait()).await;
        }
        // Whatever it started itself goes, too.
        self.group.signal(Signal::KILL);
        let _ = self.process.wait().await;
        self.group.0 = None;
    }
}
