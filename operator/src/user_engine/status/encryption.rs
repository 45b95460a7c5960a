//! What the status says of keys and rotations.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use userengine_api::status::{EncryptionInfo, KeyInfo, RotationInfo};
use userengine_rotation::ledger::{Key, Last, Open};

use super::Report;
use crate::user_engine::assess::{Rotation, stops_the_engine};
use crate::user_engine::observed::KeySecret;

impl Report<'_> {
    pub(super) fn encryption(&self) -> Option<EncryptionInfo> {
        let ledger = &self.assessment.record.as_ref()?.ledger;
        Some(EncryptionInfo {
            active_key: ledger.active()?.kid.to_string(),
            keys: ledger.keys.iter().map(|key| self.key(key)).collect(),
            rotation: self.rotation(),
        })
    }

    /// The engine is stopped for a rotation.
    pub(super) fn is_rotating(&self) -> bool {
        self.assessment
            .record
            .as_ref()
            .is_some_and(stops_the_engine)
    }

    fn key(&self, key: &Key) -> KeyInfo {
        let created_at = match self.observed.keys.get(&key.suffix) {
            Some(KeySecret::Present { created_at, .. }) => created_at.map(Time),
            _ => None,
        };
        KeyInfo {
            id: key.kid.to_string(),
            state: key.state.word().to_owned(),
            created_at,
        }
    }

    fn rotation(&self) -> Option<RotationInfo> {
        let ledger = &self.assessment.record.as_ref()?.ledger;
        let rotation = self.assessment.rotation.as_ref()?;
        match (&ledger.open, &ledger.last) {
            (Some(open), _) => Some(self.open(open, rotation)),
            (None, Some(last)) => Some(over(last, rotation)),
            (None, None) => None,
        }
    }

    fn open(&self, open: &Open, rotation: &Rotation) -> RotationInfo {
        let progress = self.observed.rotating.progress.as_ref();
        let progress = progress.filter(|progress| progress.rotation == open.id);
        let count = |count: u64| i64::try_from(count).ok();
        RotationInfo {
            id: open.id.to_string(),
            phase: rotation.stage.unwrap_or_default().to_owned(),
            started_at: time(open.started),
            completed_at: None,
            total: progress.and_then(|progress| count(progress.total)),
            done: progress.and_then(|progress| count(progress.done)),
            message: rotation.finding.message.clone(),
            certificate: None,
        }
    }
}

fn over(last: &Last, rotation: &Rotation) -> RotationInfo {
    let certificate = last.certificate.as_ref();
    let values = certificate.map(|certificate| certificate.rows.values().sum::<u64>());
    let values = values.and_then(|values| i64::try_from(values).ok());
    RotationInfo {
        id: last.id.to_string(),
        phase: rotation.stage.unwrap_or_default().to_owned(),
        started_at: time(last.started),
        completed_at: time(last.ended),
        total: values,
        done: values,
        message: last.why.clone(),
        certificate: certificate.and_then(|certificate| serde_json::to_value(certificate).ok()),
    }
}

fn time(seconds: i64) -> Option<Time> {
    Timestamp::from_second(seconds).ok().map(Time)
}
