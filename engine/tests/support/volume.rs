//! A volume in a temporary folder, and what is on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempDir;

use super::room::Room;
use super::sha256;

/// A folder that is gone after the test.
pub struct Volume {
    /// Ends before its folder goes.
    room: Option<Room>,
    folder: TempDir,
    copies: TempDir,
}

/// Name, hash and time of change of each file.
pub type Content = BTreeMap<String, (String, SystemTime)>;

impl Volume {
    pub fn new() -> Self {
        Self {
            room: None,
            folder: tempfile::tempdir().unwrap(),
            copies: tempfile::tempdir().unwrap(),
        }
    }

    /// The same brain alone on a volume of eight megabytes.
    pub fn moved_to_a_small_one(self) -> Self {
        let small = Self::small();
        for name in self.names() {
            fs::copy(self.file(&name), small.seen().join(name)).unwrap();
        }
        small
    }

    /// One of eight megabytes. Only engines see what is on it; the rest is for [`Volume::read_brain`] and [`Volume::room`].
    pub fn small() -> Self {
        let mut volume = Self::new();
        volume.room = Some(Room::over(volume.path()));
        volume
    }

    /// The room of a small one.
    pub fn room(&self) -> Option<&Room> {
        self.room.as_ref()
    }

    /// The brain for somebody who looks into it now: of a small volume a copy.
    pub fn read_brain(&self) -> PathBuf {
        let Some(room) = &self.room else {
            return self.brain();
        };
        for name in ["brain.sqlite", "brain.sqlite-wal"] {
            fs::copy(room.seen().join(name), self.copies.path().join(name)).unwrap();
        }
        self.copies.path().join("brain.sqlite")
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn brain(&self) -> PathBuf {
        self.path().join("brain.sqlite")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The same files, as a crash at this moment would leave them.
    pub fn crash_copy(&self) -> Self {
        let copy = Self::new();
        for entry in fs::read_dir(self.path()).unwrap() {
            let entry = entry.unwrap();
            // The index is shared memory: it does not survive a machine.
            if !entry.file_name().to_string_lossy().ends_with("-shm") {
                fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        copy
    }

    /// The folder as its engines see it.
    fn seen(&self) -> PathBuf {
        let room = self.room.as_ref().map(Room::seen);
        room.unwrap_or_else(|| self.path().to_owned())
    }

    /// How long the write-ahead log is.
    pub fn log_bytes(&self) -> u64 {
        fs::metadata(self.seen().join("brain.sqlite-wal")).map_or(0, |log| log.len())
    }

    pub fn content(&self) -> Content {
        let entries = fs::read_dir(self.seen()).unwrap().map(Result::unwrap);
        entries
            .map(|entry| {
                let hash = sha256(fs::read(entry.path()).unwrap());
                let changed = entry.metadata().unwrap().modified().unwrap();
                (entry.file_name().into_string().unwrap(), (hash, changed))
            })
            .collect()
    }

    pub fn names(&self) -> Vec<String> {
        self.content().into_keys().collect()
    }

    /// Is there a write-ahead log with something in it?
    pub fn has_log(&self) -> bool {
        fs::metadata(self.file("brain.sqlite-wal")).is_ok_and(|log| log.len() > 0)
    }
}
