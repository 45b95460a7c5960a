//! What is durable on the claim: the keys of a brain, the rotation that is open, and the requests that were consumed.

#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use userengine_api::hex::hex;
use userengine_api::key::Kid;

use crate::request::{Mode, RotationId, RowName};
use crate::verdict::{Certificate, Step};

pub use text::{LedgerError, Texts};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// As withheld, and somebody else may have it: it is destroyed without the wait, as soon as nothing needs it.
    Compromised {
        /// When it left the ring.
        since: i64,
    },
    /// Its Secret is being destroyed: there is no way back.
    Destroying,
}

impl KeyState {
    /// The engine holds such a key.
    pub fn in_ring(self) -> bool {
        matches!(self, Self::Active | Self::Staged)
    }

    /// It left the ring, and can still be gone back to.
    pub fn is_retired(self) -> bool {
        matches!(self, Self::Withheld { .. } | Self::Compromised { .. })
    }
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

    /// The key of this id.
    pub fn key(&self, kid: &Kid) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == *kid)
    }

    /// The target of the open rotation, once it is recorded.
    pub fn target(&self) -> Option<&Key> {
        let open = self.open.as_ref()?;
        self.keys.iter().find(|key| key.suffix == open.suffix)
    }

    /// The keys that may seal values while the open rotation begins: what its Job is told to start from.
    pub fn from(&self) -> Vec<Kid> {
        let target = self.open.as_ref().map(|open| &open.suffix);
        self.ring()
            .filter(|key| Some(&key.suffix) != target)
            .map(|key| key.kid.clone())
            .collect()
    }

    /// This id is over, or was satisfied by the brain's birth.
    pub fn has_consumed(&self, id: &RotationId) -> bool {
        self.consumed.contains(&IdHash::of(id))
    }

    /// The keys that the engine holds.
    pub fn ring(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(|key| key.state.in_ring())
    }
}

/// The rotation that is open. The request itself may have gone from the spec: what matters is here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Open {
    /// Its id.
    pub id: RotationId,
    /// Why.
    pub mode: Mode,
    /// The end of the name of the Secret with the target key.
    pub suffix: String,
    /// What the target was when the rotation was opened: a rotation that changes nothing leaves it as that. `None`:
    /// a new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<KeyState>,
    /// Rows to set aside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<RowName>,
    /// How far it is.
    pub phase: Phase,
    /// The attempt that runs, from 1.
    pub attempt: u8,
    /// Unix seconds: when the rotation was opened. No two of a brain have the same.
    pub started: i64,
    /// Unix seconds: when the phase or the attempt began, or the last progress was seen.
    pub since: i64,
    /// How far the attempt was when its progress was last written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
    /// An attempt may have written, or may still write, without having said so: its pod vanished, or its time was up.
    #[serde(default)]
    pub doubt: bool,
    /// While clearing: why there is no further attempt. `None`: there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<String>,
}

/// A place in the Job's work. Later places are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// Which part.
    pub step: Step,
    /// Sealed values dealt with in it.
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
    /// The Job goes, so that another attempt or the engine can come: over when no pod of it is left.
    Clearing,
}

/// How the last rotation ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Last {
    /// Its id.
    pub id: RotationId,
    /// How.
    pub outcome: Outcome,
    /// Unix seconds: when it was opened.
    pub started: i64,
    /// Unix seconds.
    pub ended: i64,
    /// Why, in words, if it did not end well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The proof, if it ended well: it outlives the Job's pod here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Certificate>>,
}

impl Last {
    /// It was a rotation because of the key's age.
    pub fn by_age(&self) -> bool {
        self.id.is_automatic()
    }
}

/// How a rotation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// With a certificate.
    Certified,
    /// It could not be done, and was never opened.
    Rejected,
    /// The key or the Job refused. The ring is what it was, unless an earlier attempt may have written.
    Refused,
    /// Deadlines passed or attempts ran out. The ring keeps both keys if any value may be sealed with the new one.
    Failed,
}
