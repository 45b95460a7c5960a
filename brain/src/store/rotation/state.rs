//! What the brain says of its keys and of what was done to them.

use userengine_api::key::Kid;
use userengine_rotation::gate::{BrainKeys, Log, Logged, OpenInBrain};
use userengine_rotation::request::{Mode, RotationId};

use super::log::{self, Event};
use super::{Changing, Reading};
use crate::domain::DatabaseId;
use crate::store::key_state::has_table;
use crate::store::{StoreError, identity, key_state};

/// All that decides whether a Job may run.
#[derive(Debug, Clone)]
pub struct State {
    /// Whose brain it is.
    pub database_id: DatabaseId,
    /// How often it was opened for serving.
    pub opens: u64,
    /// Which key seals, the epoch, what is open.
    pub keys: BrainKeys,
    /// Every rotation that ever wrote.
    pub log: Log,
    /// What the open rotation began with.
    pub baseline: Option<Baseline>,
}

/// What a rotation began with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// Why the key is changed.
    pub mode: Mode,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// Digest over every place and value, in hex.
    pub root: String,
    /// How often the brain had been opened when the digest was taken.
    pub opens: u64,
}

const MALFORMED: StoreError = StoreError::Inconsistent("the key state is malformed");

impl Reading {
    /// Reads it. A brain of an older schema has no log: nothing was ever done to its keys.
    pub async fn state(&mut self) -> Result<State, StoreError> {
        let identity = identity::read(self.brain()).await?;
        let (keys, baseline, log) = if has_table(self.brain(), "quarantine").await? {
            let (mut keys, baseline) = read(self).await?;
            let entries = log::entries(self.brain()).await?;
            keys.latest = entries.iter().filter_map(opened).max();
            (keys, baseline, fates(&entries)?)
        } else {
            let keys = BrainKeys {
                write_kid: key_state::write_kid(self.brain()).await?,
                epoch: 0,
                open: None,
                latest: None,
            };
            (keys, None, Log::new())
        };
        Ok(State {
            database_id: identity.database_id,
            opens: identity.open_count,
            keys,
            log,
            baseline,
        })
    }

    /// The log, oldest first.
    pub async fn log(&mut self) -> Result<Vec<log::Entry>, StoreError> {
        if has_table(self.brain(), "rotation_log").await? {
            log::entries(self.brain()).await
        } else {
            Ok(Vec::new())
        }
    }
}

impl Changing {
    /// The log, oldest first.
    pub async fn log(&mut self) -> Result<Vec<log::Entry>, StoreError> {
        log::entries(self.brain()).await
    }
}

async fn read(reading: &mut Reading) -> Result<(BrainKeys, Option<Baseline>), StoreError> {
    let row = sqlx::query!(
        "SELECT write_kid, epoch, rotation_id, rotation_from, rotation_to, rotation_mode, rotation_started_at, inventory_root,
                inventory_opens
         FROM key_state WHERE id = 1"
    )
        .fetch_optional(reading.brain())
        .await
        .map_err(StoreError::sqlite("read the key state"))?
        .ok_or(StoreError::Inconsistent("the key state is missing"))?;
    let kid = |text: String| Kid::try_from(text).map_err(|_| MALFORMED);
    let open = match (row.rotation_id, row.rotation_from, row.rotation_to) {
        (Some(id), Some(from), Some(to)) => Some(OpenInBrain {
            id: id.try_into().map_err(|_| MALFORMED)?,
            from: kid(from)?,
            to: kid(to)?,
        }),
        _ => None,
    };
    let baseline = match (row.rotation_mode.as_deref(), row.rotation_started_at) {
        (Some(mode), Some(started_at)) => Some(Baseline {
            mode: match mode {
                "Normal" => Mode::Normal,
                "Compromised" => Mode::Compromised,
                _ => return Err(MALFORMED),
            },
            started_at,
            root: row.inventory_root.ok_or(MALFORMED)?,
            opens: u64::try_from(row.inventory_opens.ok_or(MALFORMED)?).map_err(|_| MALFORMED)?,
        }),
        _ => None,
    };
    if open.is_some() != baseline.is_some() {
        return Err(MALFORMED);
    }
    let keys = BrainKeys {
        write_kid: kid(row.write_kid)?,
        epoch: u64::try_from(row.epoch).map_err(|_| MALFORMED)?,
        open,
        latest: None,
    };
    Ok((keys, baseline))
}

/// The last word of the log on each rotation.
fn fates(entries: &[log::Entry]) -> Result<Log, StoreError> {
    let mut log = Log::new();
    for entry in entries {
        let (Some(rotation), Some(how)) = (&entry.rotation, logged(entry.event)) else {
            continue;
        };
        let id = RotationId::try_from(rotation.clone());
        log.insert(id.map_err(|_| log::BROKEN)?, how);
    }
    Ok(log)
}

/// When the rotation that began here was opened, as its order said.
fn opened(entry: &log::Entry) -> Option<i64> {
    let began = entry.event == Event::Begun;
    let details: serde_json::Value = serde_json::from_str(&entry.details).ok()?;
    details.get("opened")?.as_i64().filter(|_| began)
}

fn logged(event: Event) -> Option<Logged> {
    match event {
        Event::Begun => Some(Logged::Begun),
        Event::Superseded => Some(Logged::Superseded),
        Event::Certified => Some(Logged::Certified),
        Event::Resumed | Event::SetAside | Event::Refused | Event::Verified => None,
    }
}
