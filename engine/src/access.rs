//! Which API keys are accepted now.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use userengine_api::refusal::{Refusal, RefusalReason};

use crate::config::AccessConfig;
use crate::domain::{KeyHashes, KeyHashesError};

/// The accepted keys. A list from a file follows the file without a restart.
#[derive(Debug)]
pub struct Access {
    accepted: RwLock<Accepted>,
    file: Option<PathBuf>,
}

#[derive(Debug)]
struct Accepted {
    hashes: Arc<KeyHashes>,
    /// What the file looked like when it was last read, whatever it held.
    seen: Option<Stamp>,
}

/// Changes whenever the content does, and costs one system call to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file cannot be read.
    #[error("ENGINE_KEY_HASH_FILE {0}: failed to read it: {1}")]
    Read(PathBuf, io::Error),
    /// The file holds something else.
    #[error(
        "ENGINE_KEY_HASH_FILE {0}: {1}; expected SHA-256 hashes, each 64 hex digits, one a line or separated by commas"
    )]
    Malformed(PathBuf, KeyHashesError),
}

impl Access {
    /// Loads the list.
    pub fn load(config: AccessConfig) -> Result<Self, AccessError> {
        let (accepted, file) = match config {
            AccessConfig::Fixed(hashes) => (
                Accepted {
                    hashes: Arc::new(hashes),
                    seen: None,
                },
                None,
            ),
            AccessConfig::File(path) => {
                let seen = stamp(&path).map_err(|error| AccessError::Read(path.clone(), error))?;
                let hashes = Arc::new(read(&path)?);
                (
                    Accepted {
                        hashes,
                        seen: Some(seen),
                    },
                    Some(path),
                )
            }
        };
        Ok(Self {
            accepted: RwLock::new(accepted),
            file,
        })
    }

    /// The list as it is now. A file that went bad keeps the last good list and is reported once.
    pub fn current(&self) -> Arc<KeyHashes> {
        let (known, seen) = {
            let accepted = self.accepted.read().unwrap_or_else(PoisonError::into_inner);
            (accepted.hashes.clone(), accepted.seen)
        };
        let Some(file) = &self.file else { return known };
        // The stamp is taken before the content: a change in between is seen at the next request.
        let now = stamp(file).ok();
        if now == seen {
            known
        } else {
            self.read_again(file, now)
        }
    }

    fn read_again(&self, file: &Path, now: Option<Stamp>) -> Arc<KeyHashes> {
        let mut accepted = self
            .accepted
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if accepted.seen == now {
            return accepted.hashes.clone();
        }
        accepted.seen = now;
        match read(file) {
            Ok(hashes) => {
                tracing::info!(accepted = ?hashes.short(), "read the API key hashes again");
                accepted.hashes = Arc::new(hashes);
            }
            Err(error) => tracing::error!(%error, "kept the old API key hashes"),
        }
        accepted.hashes.clone()
    }
}

fn read(path: &Path) -> Result<KeyHashes, AccessError> {
    let text =
        fs::read_to_string(path).map_err(|error| AccessError::Read(path.to_owned(), error))?;
    text.parse()
        .map_err(|error| AccessError::Malformed(path.to_owned(), error))
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata: Metadata = fs::metadata(path)?;
    Ok(Stamp {
        inode: metadata.ino(),
        bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

impl From<AccessError> for Refusal {
    fn from(error: AccessError) -> Self {
        Self::new(RefusalReason::ConfigInvalid, error.to_string())
    }
}
