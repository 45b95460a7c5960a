//! What the Job says: how far it is, and how it ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use userengine_api::key::Kid;
use userengine_api::refusal::Refusal;

use crate::request::{Mode, RotationId};

/// The answer of `GET /progress` on the internal port of a Job's pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The rotation.
    pub rotation: RotationId,
    /// Which part of the work.
    pub step: Step,
    /// Sealed values dealt with in this step.
    pub done: u64,
    /// Sealed values in all.
    pub total: u64,
}

/// A part of the Job's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Opening the brain, and recovering it if the engine did not hand it over.
    Opening,
    /// Opening every value with the ring, before the first write.
    Checking,
    /// Sealing every value with the new key.
    Migrating,
    /// Opening every value with the new key alone.
    Verifying,
}

/// How a container of the Job ended: its termination message, as JSON of at most 4 KiB
/// (<https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// `migrate`: every value is sealed with the new key. `verify` may begin.
    Migrated(Migrated),
    /// `verify`: every value opened with the new key alone. The rotation is closed.
    Certified(Box<Certificate>),
    /// `verify` without a rotation: every value opened with the one key that was mounted.
    Verified(Verified),
    /// Either: it did not come to its end.
    Refused(Refused),
}

/// What `verify` found when no rotation was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The brain.
    pub database_id: String,
    /// The only key that was mounted, and the one that the brain seals with.
    pub kid: Kid,
    /// Values that opened with it: all that there are, but for the quarantine.
    pub rows: u64,
    /// Values in quarantine, by the key that is said to have sealed them.
    pub quarantined: BTreeMap<Kid, u64>,
    /// When the last value was opened, RFC 3339.
    pub at: String,
}

/// What `migrate` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrated {
    /// The rotation.
    pub rotation: RotationId,
    /// The key that seals now.
    pub write_kid: Kid,
    /// The epoch that this run wrote under.
    pub epoch: u64,
    /// Values sealed by this run; a rerun finds fewer to do.
    pub rows: u64,
    /// The engine had not handed the brain over, so it was recovered first.
    pub recovered: bool,
}

/// Why a container stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The reason and the words.
    pub refusal: Refusal,
    /// The key that the brain names for writing, if it could be read.
    pub write_kid: Option<Kid>,
    /// False: not one sealed value has been changed by this rotation, in this run or an earlier one. True, or unknown
    /// because the brain could not be read: some may lie under the new key.
    pub touched: bool,
}

/// Shows that a brain is sealed with one key, as found by a process that had no other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Version of this form: 1.
    pub version: u8,
    /// The brain.
    pub database_id: String,
    /// The request that it answers.
    pub rotation: RotationId,
    /// Why the key was changed.
    pub mode: Mode,
    /// The key before.
    pub from: Kid,
    /// The key that opened everything.
    pub to: Kid,
    /// The epoch.
    pub epoch: u64,
    /// Sealed values by `<table>.<column>`.
    pub rows: BTreeMap<String, u64>,
    /// Values in quarantine, which no key opened.
    pub quarantined: u64,
    /// Hex digest over every place and value, before the first write.
    pub inventory_before: String,
    /// The same over what was opened at the end; equal.
    pub inventory_after: String,
    /// The image that did it, as the Job was told.
    pub image: String,
    /// The program that did it, as it measured itself: `sha256:` and the digits of the hash of its file. Empty: it could
    /// not be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub binary: String,
    /// When the first write of the rotation was made, RFC 3339.
    pub started_at: String,
    /// When the last value was opened, RFC 3339.
    pub verified_at: String,
    /// Hash of the entry before it in the brain's rotation log, in hex.
    pub previous: String,
    /// HMAC-SHA256 of all of the above under a key derived from `to`, in hex.
    pub mac: String,
}
