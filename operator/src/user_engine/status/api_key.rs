//! What the status says of the API key.

use jiff::Timestamp;
use userengine_api::status::ApiKeyInfo;
use userengine_rotation::request::RotationId;

use super::Report;
use crate::user_engine::api_key::{Open, Record, Stage};
use crate::user_engine::assess::{asked_of_api_key, overlap_of_api_keys};
use crate::user_engine::observed::ApiKeySecret;

impl Report<'_> {
    /// What the Secret remembers, if anything; of a Secret that is to be made, what the status said before.
    pub(super) fn api_key(&self) -> Option<ApiKeyInfo> {
        let observed = self.observed;
        let ApiKeySecret::Ours(secret) = &observed.api_key else {
            return observed.engine.status.as_ref()?.api_key.clone();
        };
        let record = &secret.record;
        (!record.is_empty()).then(|| ApiKeyInfo {
            rotation_id: record.done.as_ref().map(RotationId::to_string),
            phase: record
                .open
                .as_ref()
                .map(|open| word(&open.stage).to_owned()),
            message: record
                .open
                .as_ref()
                .map(|open| self.message(record, open))
                .unwrap_or_default(),
        })
    }

    fn message(&self, record: &Record, open: &Open) -> String {
        let id = &open.id;
        let own = match open.stage {
            Stage::Publishing => format!("rotation {id}: the engine is to accept the next key"),
            Stage::Overlapping { since, .. } => {
                let end = since.saturating_add(overlap_of_api_keys(self.observed));
                let end = Timestamp::from_second(end).unwrap_or(Timestamp::MAX);
                format!("rotation {id}: the former key is accepted until {end}")
            }
            Stage::Retiring => format!("rotation {id}: the engine is to forget the former key"),
        };
        match asked_of_api_key(self.observed).filter(|asked| !record.knows(asked)) {
            Some(next) => format!("{own}; then rotation {next} begins"),
            None => own,
        }
    }
}

fn word(stage: &Stage) -> &'static str {
    match stage {
        Stage::Publishing => "Publishing",
        Stage::Overlapping { .. } => "Overlapping",
        Stage::Retiring => "Retiring",
    }
}
