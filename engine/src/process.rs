//! What the process forbids itself: dumps of its memory, files that others can read, and panics that talk.

use std::panic;

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask,
};

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
