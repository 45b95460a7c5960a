//! What the API-key Secret remembers of the rotations of its key.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use userengine_api::labels;
use userengine_rotation::ledger::IdHash;
use userengine_rotation::request::RotationId;

/// All of it. Changed in the same write as the keys that it speaks of, so that no crash can part them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The rotation that came to its end last, or was satisfied by the birth of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<RotationId>,
    /// Hashes of every id that is over.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub consumed: BTreeSet<String>,
    /// The rotation that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
}

/// A rotation that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Its id.
    pub id: RotationId,
    /// How far it is.
    #[serde(flatten)]
    pub stage: Stage,
}

/// How far a rotation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase")]
pub enum Stage {
    /// The next key is in the Secret, and the engine is to learn of it.
    Publishing,
    /// The next key has become the key, and the former one is accepted as well.
    Overlapping {
        /// Unix seconds of when that was, rounded up.
        since: i64,
        /// The hash of the former key.
        former: String,
    },
    /// The former key is not to be accepted any more, and the engine is to learn of that.
    Retiring,
}

impl Record {
    /// The record of a key that is born while this is asked for.
    pub fn born(asked: Option<&RotationId>) -> Self {
        asked.map_or_else(Self::default, |id| Self::default().over(id))
    }

    /// Reads the record of a Secret. What nobody can read says nothing: a rotation too many harms nobody.
    pub fn parse(annotations: &BTreeMap<String, String>) -> Self {
        let text = annotations.get(labels::API_KEY_ROTATION);
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// The annotation that [`Record::parse`] reads.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This id is over, or runs.
    pub fn knows(&self, id: &RotationId) -> bool {
        let is_open = self.open.as_ref().is_some_and(|open| open.id == *id);
        is_open || self.consumed.contains(IdHash::of(id).as_str())
    }

    /// The same, with this rotation at this stage.
    #[must_use]
    pub fn at(&self, id: &RotationId, stage: Stage) -> Self {
        let id = id.clone();
        Self {
            open: Some(Open { id, stage }),
            ..self.clone()
        }
    }

    /// The same, once this rotation is over.
    #[must_use]
    pub fn over(mut self, id: &RotationId) -> Self {
        self.consumed.insert(IdHash::of(id).as_str().to_owned());
        self.done = Some(id.clone());
        self.open = None;
        self
    }

    /// The hashes that the engine is to accept: that of the key first, for the others retire.
    pub fn hashes<'a>(&'a self, key: &'a str, next: Option<&'a str>) -> Vec<&'a str> {
        let other = match self.open.as_ref().map(|open| &open.stage) {
            Some(Stage::Publishing) => next,
            Some(Stage::Overlapping { former, .. }) => Some(former.as_str()),
            Some(Stage::Retiring) | None => None,
        };
        let other = other.filter(|other| *other != key);
        [key].into_iter().chain(other).collect()
    }
}
