//! The Job in a process of its own, which can be killed.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{RwLock, mpsc};
use std::time::{Duration, Instant};

use userengine_api::refusal::Refusal;
use userengine_rotation::request::Mode;

use super::strace::{Harm, Strace};
use super::{Volume, task};

const VARIABLE: &str = "ROTATION_TEST_JOB";
const WORKING: &str = "working";
const REFUSED: &str = "refused: ";

/// What the process does.
#[derive(Debug, Clone)]
pub struct Job {
    /// The rotation's id.
    pub id: &'static str,
    /// The keys before, and the new one last.
    pub keys: &'static [u8],
    pub mode: Mode,
    pub work: Work,
    /// Sealed values in one transaction; the product's number if there is none.
    pub page: Option<u32>,
}

impl Job {
    /// The first rotation of a brain, from key 1 to key 2, with pages as the product has them.
    pub fn first() -> Self {
        Self {
            id: "first",
            keys: &[1, 2],
            mode: Mode::Normal,
            work: Work::MigrateAndVerify,
            page: None,
        }
    }
}

/// Which containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    MigrateAndVerify,
    Verify,
    /// `verify` without a rotation.
    VerifyAlone,
}

/// What happens to it.
#[derive(Debug, Clone)]
pub enum Fault {
    None,
    /// It kills itself when it reaches this step for the n-th time.
    At(&'static str, u64),
    /// It is killed when it has worked for this long.
    After(Duration),
    /// The n-th system call of this name and thread is its last one, or fails.
    Call(&'static str, u64, Harm),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Done,
    Killed,
    /// With this reason and message.
    Refused(String),
    /// Not as any of these.
    Broken(String),
}

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    pub end: End,
    /// The fault did come.
    pub struck: bool,
    /// From the first line of work to the end.
    pub worked: Duration,
}

impl Job {
    pub fn rotation(&self) -> super::Task {
        super::Task {
            mode: self.mode,
            ..task(self.id, self.keys)
        }
    }

    /// The key that everything is under in the end.
    pub fn to(&self) -> u8 {
        self.keys[self.keys.len() - 1]
    }

    /// Runs it to its end, whichever that is.
    pub fn run(&self, volume: &Volume, fault: &Fault) -> Run {
        let strace = Strace::of(volume, fault);
        let (end, worked) = self.live(volume, fault, strace.as_ref());
        let struck = end == End::Killed || strace.is_some_and(|strace| strace.injected());
        Run {
            end,
            struck,
            worked,
        }
    }

    /// Runs it without a fault; gives what was written down of its system calls.
    pub fn watched(&self, volume: &Volume, strace: &Strace) -> String {
        let (end, _) = self.live(volume, &Fault::None, Some(strace));
        assert_eq!(end, End::Done);
        strace.log()
    }

    fn live(&self, volume: &Volume, fault: &Fault, strace: Option<&Strace>) -> (End, Duration) {
        let mut command = self.command(volume, fault, strace);
        let alone = FORKING.write().unwrap();
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let began = wait_for_work(&mut said);
        drop(alone);
        if let Fault::After(time) = fault {
            kill_after(&mut child, *time);
        }
        let mut last = String::new();
        let _ = said.read_to_string(&mut last);
        let status = child.wait().unwrap();
        let refused = last.lines().find_map(|line| line.strip_prefix(REFUSED));
        let end = match (status.success(), status.signal(), refused) {
            (true, ..) => End::Done,
            (_, Some(9), _) => End::Killed,
            (_, _, Some(reason)) => End::Refused(reason.to_owned()),
            _ => End::Broken(format!("{status}: {last}")),
        };
        (end, began.elapsed())
    }

    fn command(&self, volume: &Volume, fault: &Fault, strace: Option<&Strace>) -> Command {
        let tests = std::env::current_exe().unwrap();
        let mut command = match strace {
            Some(strace) => strace.command(&tests),
            None => Command::new(&tests),
        };
        let keys: Vec<String> = self.keys.iter().map(u8::to_string).collect();
        let order = format!(
            "{} {} {} {:?} {:?}",
            volume.folder().display(),
            self.id,
            keys.join(","),
            self.mode,
            self.work,
        );
        command
            .args(["kills::child", "--exact", "--ignored", "--nocapture"])
            .env(VARIABLE, order)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Fault::At(step, nth) = fault {
            command.env("FAILPOINT", format!("{step}:{nth}"));
        }
        if let Some(rows) = self.page {
            command.env("PAGE_ROWS", rows.to_string());
        }
        command
    }
}

/// A process that is being started has the locks of this one until it is another program, which shows in what it says.
static FORKING: RwLock<()> = RwLock::new(());

/// From here on, a lock that was given back can be taken.
pub fn wait_for_forks() {
    drop(FORKING.read().unwrap());
}

/// What comes before is the start of a process, in which nothing can go wrong with a brain.
fn wait_for_work(said: &mut BufReader<ChildStdout>) -> Instant {
    let mut line = String::new();
    while !line.ends_with(&format!("{WORKING}\n")) {
        line.clear();
        if said.read_line(&mut line).unwrap() == 0 {
            break;
        }
    }
    Instant::now()
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
    let [folder, id, keys, mode, work] = order.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let keys: Vec<u8> = keys.split(',').map(|key| key.parse().unwrap()).collect();
    let (volume, mut rotation) = (Volume::at(Path::new(folder)), task(id, &keys));
    rotation.mode = match mode {
        "Compromised" => Mode::Compromised,
        _ => Mode::Normal,
    };
    println!("{WORKING}");
    let new = &keys[keys.len() - 1..];
    let outcome = match work {
        "VerifyAlone" => volume.verify(new, None),
        "Verify" => volume.verify(new, Some(&rotation)),
        _ => volume
            .migrate(&keys, &rotation)
            .and_then(|_| volume.verify(new, Some(&rotation))),
    };
    if let Err(error) = outcome {
        println!("{REFUSED}{}", Refusal::from(error));
        panic!("refused");
    }
}
