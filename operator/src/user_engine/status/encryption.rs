//! What the status says of keys and rotations.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use userengine_api::names::{Names, key_suffix};
use userengine_api::status::{EncryptionInfo, KEYS_MAX, KeyInfo, RotationInfo};
use userengine_rotation::decide::Stage;
use userengine_rotation::ledger::{Key, Last, Open};
use userengine_rotation::request::RotationId;

use super::Report;
use crate::user_engine::assess::{Rotation, stops_the_engine, verified_by};
use crate::user_engine::observed::KeySecret;

impl Report<'_> {
    pub(super) fn encryption(&self) -> Option<EncryptionInfo> {
        let ledger = &self.assessment.record.as_ref()?.ledger;
        Some(EncryptionInfo {
            active_key: ledger.active()?.kid.to_string(),
            keys: told(&ledger.keys).map(|key| self.key(key)).collect(),
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
            (None, Some(last)) => Some(self.over(last, rotation)),
            (None, None) => None,
        }
    }

    fn open(&self, open: &Open, rotation: &Rotation) -> RotationInfo {
        let progress = self.observed.rotating.progress.as_ref();
        let progress = progress.filter(|progress| progress.rotation == open.id);
        let stage = rotation.stage.unwrap_or_default();
        // When one container ends nobody answers for a moment, and the next one begins with opening what is to be verified.
        let before = self.said_before(&open.id);
        let before = before.filter(|before| is_step_from(stage, &before.phase));
        let phase = before.map_or(stage, |before| &before.phase);
        let progress = progress.filter(|_| phase == stage);
        let count = |count: u64| i64::try_from(count).ok();
        let said = |of: fn(&RotationInfo) -> Option<i64>| before.and_then(of);
        RotationInfo {
            id: open.id.to_string(),
            phase: phase.to_owned(),
            started_at: time(open.started),
            completed_at: None,
            total: progress
                .and_then(|it| count(it.total))
                .or_else(|| said(|it| it.total)),
            done: progress
                .and_then(|it| count(it.done))
                .or_else(|| said(|it| it.done)),
            message: rotation.finding.message.clone(),
            image_id: self.image_id(&open.id),
            certificate: None,
        }
    }

    /// The image that verified. Its pod goes before the rotation ends: what the status said before is kept.
    fn image_id(&self, id: &RotationId) -> Option<String> {
        let record = self.assessment.record.as_ref()?;
        let suffix = key_suffix(&record.database_id, id.as_str());
        let jobs = Names(&self.observed.name()).jobs(&suffix);
        let mut pods = self.observed.rotating.pods.iter();
        pods.find_map(|pod| verified_by(pod, &jobs))
            .or_else(|| self.said_before(id)?.image_id.clone())
    }

    /// What the status says of this rotation.
    fn said_before(&self, id: &RotationId) -> Option<&RotationInfo> {
        let status = self.observed.engine.status.as_ref()?;
        let before = status.encryption.as_ref()?.rotation.as_ref()?;
        (before.id == id.as_str()).then_some(before)
    }

    fn over(&self, last: &Last, rotation: &Rotation) -> RotationInfo {
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
            image_id: self.image_id(&last.id),
            certificate: certificate.and_then(|certificate| serde_json::to_value(certificate).ok()),
        }
    }
}

/// What was said before is a step of the Job's work, and none before the one that is said now.
fn is_step_from(known: &str, said: &str) -> bool {
    let steps = [Stage::Checking, Stage::Migrating, Stage::Verifying].map(Stage::as_str);
    let place = |word: &str| steps.iter().position(|step| *step == word);
    place(known)
        .zip(place(said))
        .is_some_and(|(known, said)| said >= known)
}

fn time(seconds: i64) -> Option<Time> {
    Timestamp::from_second(seconds).ok().map(Time)
}

/// The keys that there is room for: the oldest that are in no ring are left out.
fn told(keys: &[Key]) -> impl Iterator<Item = &Key> {
    let mut too_many = keys.len().saturating_sub(KEYS_MAX);
    keys.iter().filter(move |key| {
        let is_left_out = too_many > 0 && !key.state.in_ring();
        too_many -= usize::from(is_left_out);
        !is_left_out
    })
}

#[cfg(test)]
mod tests {
    use userengine_rotation::ledger::KeyState;

    use super::*;

    #[test]
    fn of_too_many_keys_the_oldest_that_are_in_no_ring_are_left_out() {
        let key = |number: usize, state| Key {
            kid: "0123456789abcdef".parse().unwrap(),
            state,
            suffix: format!("{number:010x}"),
        };
        let withheld = KeyState::Withheld { since: 0 };
        let mut keys = vec![key(0, withheld), key(1, KeyState::Active)];
        keys.extend((2..KEYS_MAX + 5).map(|number| key(number, withheld)));
        let kept: Vec<_> = told(&keys).collect();
        assert_eq!(kept.len(), KEYS_MAX);
        assert_eq!(kept[0].state, KeyState::Active);
        assert_eq!(kept[1].suffix, format!("{:010x}", 6));
        assert_eq!(told(&keys[..3]).count(), 3);
    }
}
