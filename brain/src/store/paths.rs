//! The brain's file and the files beside it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::OpenError;

/// Where everything lies. SQLite fixes the names of its side files.
#[derive(Debug)]
pub(super) struct BrainPaths {
    pub(super) brain: PathBuf,
    pub(super) lock: PathBuf,
    /// A brain in the making: it gets its name when it is complete.
    pub(super) unborn: PathBuf,
}

/// What was found on the volume before anything was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The brain's file is there.
    pub(super) brain: bool,
    /// A write-ahead log or a journal with content is there: the last stop was not a clean one.
    pub(super) unfinished: bool,
}

/// Suffixes of the side files that hold writes which are not in the main file yet.
pub(super) const SIDE_FILES: [&str; 2] = ["-wal", "-journal"];

impl BrainPaths {
    pub(super) fn new(brain: &Path) -> Self {
        Self {
            brain: brain.to_owned(),
            lock: beside(brain, ".lock"),
            unborn: beside(brain, ".unborn"),
        }
    }

    /// Fails, with a cause that has a name, where SQLite would only find that it cannot open its files.
    pub(super) fn check_writable(&self) -> Result<(), OpenError> {
        for path in [self.brain.as_path(), folder(&self.brain)] {
            access(path, Access::WRITE_OK).map_err(|error| {
                OpenError::storage("write to the volume", io::Error::from(error))
            })?;
        }
        Ok(())
    }

    pub(super) fn look(&self) -> Result<Found, OpenError> {
        let mut unfinished = false;
        for suffix in SIDE_FILES {
            unfinished |= length(&beside(&self.brain, suffix))?.is_some_and(|bytes| bytes > 0);
        }
        Ok(Found {
            brain: length(&self.brain)?.is_some(),
            unfinished,
        })
    }
}

/// Where a file of the brain lies.
pub(super) fn folder(brain: &Path) -> &Path {
    brain
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The path with something appended to its last name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Bytes in a file; `None` if there is no file.
fn length(path: &Path) -> Result<Option<u64>, OpenError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::storage("look at the volume", error)),
    }
}
