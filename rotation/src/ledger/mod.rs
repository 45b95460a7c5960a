//! What is durable on the claim: the keys of a brain, the rotation that is open, and the requests that were consumed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use userengine_api::hex::hex;
use userengine_api::key::Kid;

use crate::request::{Mode, RotationId, RowName};

/// All of it. Changed as a whole, in one write that names the version it was read in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ledger {
    /// The keys that the brain may need, the active one among them.
    pub keys: Vec<Key>,
    /// Hashes of every id that was ever consumed, rollbacks included.
    pub consumed: BTreeSet<IdHash>,
    /// The rotation that is open.
    pub open: Option<Open>,
    /// How the last one ended.
    pub last: Option<Last>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Its id.
    pub kid: Kid,
    /// What it is good for.
    pub state: KeyState,
    /// The end of its Secret's name.
    pub suffix: String,
}

/// What a key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// In the ring; new values are sealed with it, as far as the operator knows (the brain decides).
    Active,
    /// In the ring beside the active one: the target of a rotation that is open, or that ended with nobody knowing how far it came.
    Staged,
    /// In no ring; its Secret is kept. Unix seconds of when it left.
    Withheld {
        /// When it left the ring.
        since: i64,
    },
    /// Its Secret is being destroyed: there is no way back.
    Destroying,
}

/// First 10 hex digits of the SHA-256 of an id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdHash(String);

/// The text is no hash of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash of a rotation id is 10 hex digits")]
pub struct IdHashError;

impl IdHash {
    /// The hash of this id.
    pub fn of(id: &RotationId) -> Self {
        Self(hex(Sha256::digest(id.as_str()).iter().take(5)))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdHash {
    type Error = IdHashError;

    fn try_from(text: String) -> Result<Self, IdHashError> {
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let fits = text.len() == 10 && text.bytes().all(is_digit);
        fits.then_some(Self(text)).ok_or(IdHashError)
    }
}

impl Ledger {
    /// The ledger of a brain that is born with this key.
    pub fn born(kid: Kid, suffix: String) -> Self {
        let state = KeyState::Active;
        Self {
            keys: vec![Key { kid, state, suffix }],
            consumed: BTreeSet::new(),
            open: None,
            last: None,
        }
    }

    /// The key that new values are sealed with, as far as the operator knows.
    pub fn active(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.state == KeyState::Active)
    }

    /// The keys that the engine holds.
    pub fn ring(&self) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(|key| matches!(key.state, KeyState::Active | KeyState::Staged))
    }
}

/// The rotation that is open. The request itself may have gone from the spec: what matters is here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// Its id.
    pub id: RotationId,
    /// Why.
    pub mode: Mode,
    /// The end of the name of the Secret with the target key.
    pub suffix: String,
    /// Back to a key that is known already: nothing is minted.
    pub rollback: bool,
    /// Rows to set aside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<RowName>,
    /// How far it is.
    pub phase: Phase,
    /// The attempt that runs, from 1.
    pub attempt: u8,
    /// Unix seconds: when the rotation was opened.
    pub started: i64,
    /// Unix seconds: when the phase or the attempt began, or the last progress was seen.
    pub since: i64,
    /// Sealed values dealt with when progress was last seen.
    #[serde(default)]
    pub done: u64,
}

/// How far an open rotation is. Each has an exit that can be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// The target key's Secret is created and read back. The engine runs.
    Minting,
    /// The engine is stopped: over when no pod mounts the claim.
    Quiescing,
    /// The Job runs: over with its verdict.
    Running,
    /// The Job goes, so that another attempt or the engine can come: over when no pod mounts the claim.
    Clearing,
}

/// How the last rotation ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Last {
    /// Its id.
    pub id: RotationId,
    /// How.
    pub outcome: Outcome,
    /// Unix seconds.
    pub ended: i64,
    /// Was it a rotation because of age?
    pub by_age: bool,
}

/// How a rotation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// With a certificate.
    Certified,
    /// The Job refused: nothing was written.
    Refused,
    /// Deadlines passed or attempts ran out; the ring keeps both keys.
    Failed,
}
