//! What the process forbids itself: dumps of its memory, files that others can read, and panics that talk.

use std::fs::File;
use std::io::Read as _;
use std::panic;

use ring::digest::{Context, SHA256};
use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask,
};
use userengine_api::hex::hex;

/// The file that this process runs, whatever became of its name
/// (<https://man7.org/linux/man-pages/man5/proc_pid_exe.5.html>).
const OWN_FILE: &str = "/proc/self/exe";
/// Bytes that are read at once.
const PIECE: usize = 128 * 1024;

/// `sha256:` and the hash of the program that runs, in hex; `None`, and a line in the log, if it cannot be read.
pub fn measure() -> Option<String> {
    let measured = File::open(OWN_FILE).and_then(|mut file| {
        let (mut hash, mut piece) = (Context::new(&SHA256), vec![0; PIECE]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hash.finish()),
                some => hash.update(piece.get(..some).unwrap_or_default()),
            }
        }
    });
    match measured {
        Ok(hash) => Some(format!("sha256:{}", hex(hash.as_ref()))),
        Err(error) => {
            tracing::warn!(%error, "failed to measure the program that runs");
            None
        }
    }
}

/// Keys lie in this process's memory: no core dump, and no other process of the same user may attach.
/// A kernel or sandbox that refuses is not a reason not to serve.
pub fn forbid_dumps() {
    if let Err(error) = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    ) {
        tracing::warn!(%error, "failed to switch core dumps off");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "failed to make the process not dumpable");
    }
}

/// The brain, its side files and its lock are for this user only.
pub fn make_private_files() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// A panic's message can quote the value it tripped over, so only the place is reported.
pub fn report_panics_without_their_message() {
    panic::set_hook(Box::new(|info| {
        let (file, line) = info
            .location()
            .map_or(("unknown", 0), |place| (place.file(), place.line()));
        tracing::error!(file, line, "panicked");
    }));
}
