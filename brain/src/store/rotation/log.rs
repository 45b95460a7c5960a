//! The rotation log: append-only, each entry chained to the one before by its hash.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;
use userengine_api::hex::hex;
use userengine_api::key::Kid;

use crate::store::StoreError;
use crate::store::key_state::{LastVerify, has_table};
use crate::store::writing::time;

/// What the first entry names as the hash before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub(super) const BROKEN: StoreError = StoreError::Inconsistent("the rotation log is broken");

/// What an entry tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A rotation wrote for the first time.
    Begun,
    /// A later run of it went on under a new epoch.
    Resumed,
    /// Another rotation began before it was certified.
    Superseded,
    /// A value went to the quarantine.
    SetAside,
    /// Everything opened with the new key alone.
    Certified,
    /// It had begun, and what was found at the end was not what was there at the beginning.
    Refused,
    /// Everything opened with one key alone, without a rotation.
    Verified,
}

impl Event {
    const ALL: [Self; 7] = [
        Self::Begun,
        Self::Resumed,
        Self::Superseded,
        Self::SetAside,
        Self::Certified,
        Self::Refused,
        Self::Verified,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Resumed => "resumed",
            Self::Superseded => "superseded",
            Self::SetAside => "set_aside",
            Self::Certified => "certified",
            Self::Refused => "refused",
            Self::Verified => "verified",
        }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts from 1.
    pub seq: i64,
    /// When, RFC 3339.
    pub at: String,
    /// What.
    pub event: Event,
    /// Of which rotation.
    pub rotation: Option<String>,
    /// The key that sealed then.
    pub write_kid: Kid,
    /// More about it, as JSON.
    pub details: String,
    /// The hash of the entry before.
    pub previous: String,
    /// The hash of this one.
    pub hash: String,
}

impl Entry {
    /// The hash that this entry should have: over every field, each with its length, so that none can borrow from another.
    pub fn expected_hash(&self) -> String {
        let mut digest = Sha256::new();
        let seq = self.seq.to_string();
        let rotation = self.rotation.as_deref().unwrap_or_default();
        for field in [
            &self.previous,
            seq.as_str(),
            &self.at,
            self.event.as_str(),
            rotation,
            self.write_kid.as_str(),
            &self.details,
        ] {
            digest.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(field.as_bytes());
        }
        hex(digest.finalize().iter())
    }
}

/// What to append.
pub(super) struct Fact<'a> {
    pub(super) event: Event,
    pub(super) rotation: Option<&'a str>,
    pub(super) write_kid: &'a Kid,
    pub(super) details: String,
    pub(super) at: Timestamp,
}

/// Appends, in the transaction of the fact itself.
pub(super) async fn append(
    brain: &mut SqliteConnection,
    fact: Fact<'_>,
) -> Result<Entry, StoreError> {
    let (seq, previous) = end(brain).await?;
    let mut entry = Entry {
        seq: seq + 1,
        at: time(fact.at),
        event: fact.event,
        rotation: fact.rotation.map(str::to_owned),
        write_kid: fact.write_kid.clone(),
        details: fact.details,
        previous,
        hash: String::new(),
    };
    entry.hash = entry.expected_hash();
    let (event, kid) = (entry.event.as_str(), entry.write_kid.as_str());
    sqlx::query!(
        "INSERT INTO rotation_log (seq, at, event, rotation, write_kid, details, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        entry.seq,
        entry.at,
        event,
        entry.rotation,
        kid,
        entry.details,
        entry.previous,
        entry.hash
    )
    .execute(brain)
    .await
    .map_err(StoreError::sqlite("append to the rotation log"))?;
    Ok(entry)
}

/// Number and hash of the last entry.
pub(super) async fn end(brain: &mut SqliteConnection) -> Result<(i64, String), StoreError> {
    let last = sqlx::query!("SELECT seq, hash FROM rotation_log ORDER BY seq DESC LIMIT 1")
        .fetch_optional(brain)
        .await
        .map_err(StoreError::sqlite("read the end of the rotation log"))?;
    Ok(last.map_or((0, GENESIS.to_owned()), |last| (last.seq, last.hash)))
}

/// All entries, oldest first. That they are a chain is checked on the way.
pub(super) async fn entries(brain: &mut SqliteConnection) -> Result<Vec<Entry>, StoreError> {
    let rows = sqlx::query!(
        "SELECT seq, at, event, rotation, write_kid, details, previous, hash FROM rotation_log ORDER BY seq"
    )
    .fetch_all(brain)
    .await
    .map_err(StoreError::sqlite("read the rotation log"))?;
    let mut entries = Vec::<Entry>::with_capacity(rows.len());
    for row in rows {
        let event = Event::ALL.into_iter().find(|e| e.as_str() == row.event);
        let entry = Entry {
            seq: row.seq,
            at: row.at,
            event: event.ok_or(BROKEN)?,
            rotation: row.rotation,
            write_kid: row.write_kid.try_into().map_err(|_| BROKEN)?,
            details: row.details,
            previous: row.previous,
            hash: row.hash,
        };
        let (seq, previous) = entries
            .last()
            .map_or((0, GENESIS), |last| (last.seq, last.hash.as_str()));
        let follows = entry.seq == seq + 1 && entry.previous == previous;
        if !follows || entry.hash != entry.expected_hash() {
            return Err(BROKEN);
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// When everything last opened with one key alone, and with which.
pub(in crate::store) async fn last_verify(
    brain: &mut SqliteConnection,
) -> Result<Option<LastVerify>, StoreError> {
    if !has_table(brain, "rotation_log").await? {
        return Ok(None);
    }
    let last = sqlx::query!(
        "SELECT at, write_kid FROM rotation_log WHERE event IN ('certified', 'verified') ORDER BY seq DESC LIMIT 1"
    )
    .fetch_optional(brain)
    .await
    .map_err(StoreError::sqlite("read the last verify"))?;
    last.map(|last| {
        Ok(LastVerify {
            kid: last.write_kid.try_into().map_err(|_| BROKEN)?,
            at: last.at.parse().map_err(|_| BROKEN)?,
        })
    })
    .transpose()
}
