//! The Job in a process of its own, which can be killed.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::{Volume, certified, task};

const VARIABLE: &str = "ROTATION_TEST_JOB";

/// What the process does.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub volume: &'a Volume,
    /// The rotation's id.
    pub id: &'a str,
    /// The keys before, and the new one last.
    pub keys: &'a [u8],
}

/// What happens to it.
#[derive(Debug, Clone)]
pub enum Fault {
    None,
    /// It kills itself at this step.
    At(&'static str),
    /// It is killed after this time.
    After(Duration),
    /// A system call fails: `strace`'s expression for `inject`.
    Inject(String),
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Done,
    Killed,
    /// With the last lines that it said.
    Failed(String),
}

impl Job<'_> {
    /// `migrate`, then `verify`, in one process.
    pub fn run(&self, fault: &Fault) -> End {
        let mut child = self.command(fault).spawn().unwrap();
        if let Fault::After(time) = fault {
            kill_after(&mut child, *time);
        }
        let mut said = String::new();
        let _ = child.stdout.take().unwrap().read_to_string(&mut said);
        let status = child.wait().unwrap();
        match (status.success(), status.signal()) {
            (true, _) => End::Done,
            (false, Some(9)) => End::Killed,
            _ => End::Failed(said),
        }
    }

    fn command(&self, fault: &Fault) -> Command {
        let tests = std::env::current_exe().unwrap();
        let mut command = match fault {
            Fault::Inject(expression) => {
                let mut strace = Command::new("strace");
                strace.args(["-f", "-qq", "-o", "/dev/null", "-e", expression]);
                for name in ["brain.sqlite", "brain.sqlite-wal"] {
                    strace.arg("-P").arg(self.volume.folder().join(name));
                }
                strace.arg(tests);
                strace
            }
            _ => Command::new(tests),
        };
        let keys: Vec<String> = self.keys.iter().map(u8::to_string).collect();
        let order = format!(
            "{} {} {}",
            self.volume.folder().display(),
            self.id,
            keys.join(",")
        );
        command
            .args(["kills::child", "--exact", "--ignored", "--nocapture"])
            .env(VARIABLE, order)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Fault::At(step) = fault {
            command.env("FAILPOINT", step);
        }
        command
    }
}

/// Waits without sleeping: nobody ever sends.
fn kill_after(child: &mut Child, time: Duration) {
    let (_sender, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
    let _ = child.kill();
}

/// The life of the process.
#[expect(
    clippy::disallowed_methods,
    reason = "how one test process tells another what to do"
)]
pub fn run_as_child() {
    let order = std::env::var(VARIABLE).unwrap();
    let [folder, id, keys] = order.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let keys: Vec<u8> = keys.split(',').map(|key| key.parse().unwrap()).collect();
    let (volume, rotation) = (Volume::at(Path::new(folder)), task(id, &keys));
    volume.migrate(&keys, &rotation).unwrap();
    certified(volume.verify(&keys[keys.len() - 1..], Some(&rotation)));
}
