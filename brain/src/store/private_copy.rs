//! A private copy of the brain, to look into a write-ahead log without touching the volume.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::paths::{SIDE_FILES, beside};

/// A folder of ours with a copy in it, gone when dropped.
#[derive(Debug)]
pub(super) struct PrivateCopy(PathBuf);

/// Where a copy may lie. In a pod with a read-only root only the shared memory may be writable.
pub(super) const PLACES: [&str; 2] = ["/tmp", "/dev/shm"];

impl PrivateCopy {
    /// Copies the brain and what lies beside it. A copy needs as much room as the brain.
    pub(super) fn of(brain: &Path, places: &[&str]) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for place in places {
            match Self::within(Path::new(place), brain) {
                Ok(copy) => return Ok(copy),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The copy.
    pub(super) fn brain(&self) -> PathBuf {
        self.0.join("brain.sqlite")
    }

    fn within(place: &Path, brain: &Path) -> io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let folder = place.join(format!("engine-{:016x}", u64::from_ne_bytes(random)));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let copy = Self(folder);
        fs::copy(brain, copy.brain())?;
        for suffix in SIDE_FILES {
            match fs::copy(beside(brain, suffix), beside(&copy.brain(), suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(copy)
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "failed to remove a private copy of the brain");
        }
    }
}
