//! Why the brain is not open, or does not answer.

use std::error::Error;
use std::io;

use userengine_api::key::Kid;
use userengine_api::refusal::{Refusal, RefusalReason};

use crate::vault::{SealError, UnsealError};

/// Why the engine does not start with this volume.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The lock is taken.
    #[error("another engine or a rotation has the brain open: one of the two must stop")]
    Locked,
    /// There should be a brain.
    #[error("there is no brain at this path: {0}")]
    Missing(&'static str),
    /// There is something else.
    #[error("the file is not this engine's brain: {0}")]
    Foreign(String),
    /// SQLite says that the file is damaged.
    #[error("the brain is damaged ({0}): restore it from a backup")]
    Corrupt(String),
    /// A newer engine wrote the brain.
    #[error(
        "MIGRATION_REQUIRED: the brain has schema {found}, this engine knows schema {known}: start a newer engine"
    )]
    TooNew {
        /// The brain's newest migration.
        found: i64,
        /// This binary's newest migration.
        known: i64,
    },
    /// Values are sealed with a key that is not in the ring.
    #[error(
        "the ring lacks the key {0}, with which this brain is sealed: give the engine that key, a new one opens nothing"
    )]
    KeyNotHeld(Kid),
    /// The canary does not open.
    #[error("the ring does not fit this brain: the canary of the key {kid}: {source}")]
    Canary {
        /// The key.
        kid: Kid,
        /// What happened.
        source: UnsealError,
    },
    /// The volume or SQLite failed.
    #[error("failed to {step}: {source}")]
    Storage {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OpenError {
    pub(super) fn storage(
        step: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Storage {
            step,
            source: source.into(),
        }
    }

    /// Sorts what SQLite says by its primary result code (<https://sqlite.org/rescode.html>).
    pub(super) fn sqlite(step: &'static str, error: sqlx::Error) -> Self {
        match primary_code(&error) {
            Some(11) => Self::Corrupt(error.to_string()),
            Some(26) => Self::Foreign("it is not an SQLite database".to_owned()),
            _ => Self::storage(step, error),
        }
    }
}

/// A full volume and one that is read-only have cures of their own.
fn storage_reason(source: &(dyn Error + 'static)) -> RefusalReason {
    let sqlite = source.downcast_ref::<sqlx::Error>().and_then(primary_code);
    let system = source.downcast_ref::<io::Error>().map(io::Error::kind);
    match (sqlite, system) {
        (Some(8), _) | (_, Some(io::ErrorKind::ReadOnlyFilesystem)) => {
            RefusalReason::StorageReadOnly
        }
        (Some(13), _) | (_, Some(io::ErrorKind::StorageFull)) => RefusalReason::StorageFull,
        _ => RefusalReason::StorageFailed,
    }
}

fn primary_code(error: &sqlx::Error) -> Option<u32> {
    /// The index beside the log cannot grow. On a full volume SQLite has no other name for it.
    const IOERR_SHMSIZE: u32 = 4874;
    const FULL: u32 = 13;
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(match code {
        IOERR_SHMSIZE => FULL,
        code => code & 0xff,
    })
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        let reason = match error {
            OpenError::Locked => RefusalReason::BrainLocked,
            OpenError::Missing(_) => RefusalReason::BrainMissing,
            OpenError::Foreign(_) => RefusalReason::BrainForeign,
            OpenError::Corrupt(_) => RefusalReason::BrainCorrupt,
            OpenError::TooNew { .. } => RefusalReason::MigrationRequired,
            OpenError::KeyNotHeld(_) | OpenError::Canary { .. } => RefusalReason::KeyForeign,
            OpenError::Storage { ref source, .. } => storage_reason(source.as_ref()),
        };
        Self::new(reason, error.to_string())
    }
}

/// Why an open brain did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A statement failed.
    #[error("failed to {step}: {source}")]
    Sqlite {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: sqlx::Error,
    },
    /// A row holds what the engine never writes.
    #[error("the brain is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// The canary does not open (any more), or a sealed text is no token.
    #[error(transparent)]
    Canary(#[from] UnsealError),
    /// A value could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Another connection kept the write-ahead log in use.
    #[error("failed to checkpoint: the write-ahead log is in use")]
    CheckpointBusy,
}

impl StoreError {
    pub(super) fn sqlite(step: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Sqlite { step, source }
    }

    /// Why the volume did not take or give what was asked.
    pub fn storage_reason(&self) -> RefusalReason {
        match self {
            Self::Sqlite { source, .. } => match primary_code(source) {
                Some(11) => RefusalReason::BrainCorrupt,
                _ => storage_reason(source),
            },
            _ => RefusalReason::StorageFailed,
        }
    }

    /// Is it the volume that fails, so that the same may work later? In words for people.
    pub fn trouble(&self) -> Option<&'static str> {
        let Self::Sqlite { source, .. } = self else {
            return None;
        };
        match (source, primary_code(source)) {
            (sqlx::Error::PoolTimedOut, _) | (_, Some(5 | 6)) => Some("the brain is busy"),
            (_, Some(8)) => Some("the brain's volume is read-only"),
            (_, Some(10)) => Some("the brain's volume fails"),
            (_, Some(13)) => Some("the brain's volume is full"),
            _ => None,
        }
    }
}
