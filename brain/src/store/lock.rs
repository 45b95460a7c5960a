//! The lock that keeps a second engine, or a rotation's Job, off the brain.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use super::OpenError;

/// An exclusive lock on `<brain>.lock`. SQLite's own locks come and go with each transaction.
#[derive(Debug)]
pub(super) struct BrainLock(
    #[expect(dead_code, reason = "the lock lives as long as the file is open")] File,
);

impl BrainLock {
    /// Takes the lock if its file is there. No file is made: the volume may yet be refused.
    pub(super) fn take_existing(path: &Path) -> Result<Option<Self>, OpenError> {
        match File::open(path) {
            Ok(file) => lock(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::storage("open the lock file", error)),
        }
    }

    /// Makes the file if need be and takes the lock.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| OpenError::storage("create the lock file", error))?;
        lock(file)
    }
}

fn lock(file: File) -> Result<BrainLock, OpenError> {
    match file.try_lock() {
        Ok(()) => Ok(BrainLock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked),
        Err(TryLockError::Error(error)) => Err(OpenError::storage("lock the lock file", error)),
    }
}
