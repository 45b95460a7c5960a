//! Why a change of the key did not come to its end.

use userengine_api::key::Kid;
use userengine_api::refusal::{Refusal, RefusalReason};
use userengine_rotation::gate::Objection;

use super::check::Unreadable;
use crate::store::rotation::Stray;
use crate::store::{OpenError, StoreError};
use crate::vault::ResealError;

/// Each asks for something else of whoever has to act.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The brain was not opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The brain did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The brain does not let this rotation in.
    #[error("{}", objection(*.0))]
    Refused(Objection),
    /// `verify` must have nothing but the key that it vouches for.
    #[error("the ring holds {held} keys: expected the key {expected} and no other")]
    NotTheOnlyKey {
        /// How many there are.
        held: usize,
        /// The key that was ordered, or that the brain seals with.
        expected: Kid,
    },
    /// A rotation is open where none should be.
    #[error("a rotation is open: only its own verify closes it")]
    StillOpen,
    /// Values open with no key.
    #[error("{} sealed values open with no key of the ring; the first: {}", .0.len(), first(.0))]
    Unreadable(Vec<Unreadable>),
    /// A sealed value lies where no rotation would reach it.
    #[error("a sealed value lies in {}.{}, which is not a registered column", .0.table, .0.column)]
    Unregistered(Stray),
    /// The values are not those of the beginning.
    #[error("the sealed values are not those that the rotation began with: {0}")]
    InventoryChanged(&'static str),
    /// The volume is too small.
    #[error("the volume has {free} bytes free: expected at least {needed}")]
    NoRoom {
        /// Bytes that are free.
        free: u64,
        /// Bytes that the work may need for a while.
        needed: u64,
    },
    /// Somebody asked for an end.
    #[error("told to stop: what was written is whole, and a rerun goes on from here")]
    Interrupted,
    /// Another run has the epoch.
    #[error("another run of a rotation has taken over")]
    Fenced,
    /// A value could not be sealed anew.
    #[error(transparent)]
    Reseal(#[from] ResealError),
    /// What is left does not change.
    #[error("{0} values could not be replaced, though nobody else writes")]
    Stuck(u64),
    /// The process itself failed.
    #[error("the work ended without an answer")]
    Lost,
}

fn objection(objection: Objection) -> &'static str {
    match objection {
        Objection::Reversed => {
            "the brain is sealed with another key than the rotation starts from: the direction is wrong, or the order is old"
        }
        Objection::Over => "this rotation is over: another one took its place, or it never began",
        Objection::SameKey => "the key to rotate to is the one that the brain is sealed with",
        Objection::OtherTarget => "this rotation has begun with another key to rotate to",
    }
}

/// A message is short; `engine check` lists them all.
fn first(rows: &[Unreadable]) -> String {
    let names: Vec<String> = rows
        .iter()
        .take(3)
        .map(|row| row.name.to_string())
        .collect();
    names.join(", ")
}

impl RotationError {
    fn reason(&self) -> RefusalReason {
        match self {
            // These two are told by their own conversion.
            Self::Open(_) | Self::Lost => RefusalReason::StorageFailed,
            Self::Store(error) => match error {
                StoreError::Sqlite { .. } => error.storage_reason(),
                StoreError::CheckpointBusy => RefusalReason::BrainLocked,
                StoreError::Inconsistent(_) => RefusalReason::BrainCorrupt,
                StoreError::Canary(_) | StoreError::Seal(_) => RefusalReason::KeyForeign,
            },
            Self::Refused(Objection::Over) => RefusalReason::RotationOver,
            Self::Refused(_) => RefusalReason::RotationReversed,
            Self::StillOpen => RefusalReason::RotationOpen,
            Self::Unreadable(_) | Self::Reseal(ResealError::Unseal(_)) => {
                RefusalReason::RowsUnreadable
            }
            Self::NotTheOnlyKey { .. } | Self::Reseal(ResealError::Seal(_)) => {
                RefusalReason::KeyForeign
            }
            Self::Reseal(ResealError::Differs(_)) | Self::Stuck(_) => RefusalReason::BrainCorrupt,
            Self::Unregistered(_) => RefusalReason::SecretsUnregistered,
            Self::InventoryChanged(_) => RefusalReason::InventoryChanged,
            Self::NoRoom { .. } => RefusalReason::StorageFull,
            Self::Interrupted => RefusalReason::RotationInterrupted,
            Self::Fenced => RefusalReason::BrainLocked,
        }
    }
}

impl From<RotationError> for Refusal {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::Open(error) => error.into(),
            error => Self::new(error.reason(), error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use userengine_rotation::request::RowName;

    use super::*;
    use crate::vault::{SealedColumn, UnsealError};

    #[test]
    fn each_objection_is_told_in_words_of_its_own() {
        for (objection, words) in [
            (Objection::Reversed, "the direction is wrong"),
            (Objection::Over, "this rotation is over"),
            (Objection::SameKey, "the one that the brain is sealed with"),
            (Objection::OtherTarget, "has begun with another key"),
        ] {
            let told = RotationError::Refused(objection).to_string();
            assert!(told.contains(words), "{objection:?}: {told}");
        }
    }

    #[test]
    fn of_the_rows_that_do_not_open_all_are_counted_and_the_first_three_named() {
        let row = |id: &str| Unreadable {
            name: RowName::new("connections", id),
            column: SealedColumn::ConnectionCredentials,
            why: UnsealError::NotAToken,
        };
        let told = |ids: &[&str]| {
            let rows = ids.iter().copied().map(row).collect();
            RotationError::Unreadable(rows).to_string()
        };
        assert_eq!(
            told(&["a", "b", "c", "d"]),
            "4 sealed values open with no key of the ring; the first: connections/a, connections/b, connections/c"
        );
        assert!(told(&["a", "b"]).ends_with("; the first: connections/a, connections/b"));
    }
}
