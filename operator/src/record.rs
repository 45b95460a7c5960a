//! The record of a brain: annotations on its claim.
//!
//! Kubernetes may lose every other object of an engine; as long as the claim is there, the record
//! says whose brain it is, which keys it needs, how far a rotation of them is, and whether it was ever made.

use std::collections::BTreeMap;

use userengine_api::labels;
use userengine_rotation::ledger::{Ledger, LedgerError, Open, Texts};

/// What is known of a brain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id that the brain carries inside: the uid of the `UserEngine` under which it was born.
    pub database_id: String,
    /// The user it belongs to.
    pub user: String,
    /// The class that the engine sticks to.
    pub class: String,
    /// Its keys, and what becomes of them.
    pub ledger: Ledger,
    /// True once the engine was Ready: from then on a missing brain is a loss, never a beginning. The engine under which the
    /// brain was born remembers it until the record is next written.
    pub initialised: bool,
}

/// The annotations are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// One is not there.
    #[error("the annotation {0} is missing")]
    Missing(&'static str),
    /// The ledger of keys cannot be read.
    #[error("its annotations are not a ledger of keys ({0})")]
    Ledger(#[from] LedgerError),
}

impl Record {
    /// Reads the record of a claim.
    pub fn parse(annotations: &BTreeMap<String, String>) -> Result<Self, RecordError> {
        let get = |name: &'static str| match annotations.get(name) {
            Some(value) if !value.is_empty() => Ok(value.clone()),
            _ => Err(RecordError::Missing(name)),
        };
        let texts = Texts {
            keys: get(labels::KEYS)?,
            consumed: annotations.get(labels::CONSUMED).cloned(),
            open: annotations.get(labels::ROTATION).cloned(),
            last: annotations.get(labels::LAST_ROTATION).cloned(),
        };
        let ledger = Ledger::parse(&texts)?;
        Ok(Self {
            database_id: get(labels::DATABASE_ID)?,
            user: get(labels::USER)?,
            class: get(labels::CLASS)?,
            ledger,
            initialised: annotations
                .get(labels::INITIALISED)
                .is_some_and(|value| value == "true"),
        })
    }

    /// The annotations that [`Record::parse`] reads; `None` for those that must not be there.
    pub fn annotations(&self) -> BTreeMap<&'static str, Option<String>> {
        let texts = self.ledger.texts();
        [
            (labels::DATABASE_ID, Some(self.database_id.clone())),
            (labels::USER, Some(self.user.clone())),
            (labels::CLASS, Some(self.class.clone())),
            (labels::KEYS, Some(texts.keys)),
            (labels::CONSUMED, texts.consumed),
            (labels::ROTATION, texts.open),
            (labels::LAST_ROTATION, texts.last),
            (
                labels::INITIALISED,
                self.initialised.then(|| true.to_string()),
            ),
        ]
        .into_iter()
        .collect()
    }

    /// The ends of the names of every key Secret that may be there.
    pub fn suffixes(&self) -> Vec<String> {
        let mut all: Vec<_> = self
            .ledger
            .keys
            .iter()
            .map(|key| key.suffix.clone())
            .collect();
        let target = self.ledger.open.as_ref().map(|open| open.suffix.clone());
        all.extend(target.filter(|target| !all.contains(target)));
        all
    }
}

/// The same of annotations that may be no record any more, as far as they can be read.
pub fn suffixes(annotations: &BTreeMap<String, String>) -> Vec<String> {
    let keys = annotations.get(labels::KEYS);
    let entries = keys.into_iter().flat_map(|text| text.split(','));
    let recorded = entries.filter_map(|entry| entry.split(':').nth(2).map(str::to_owned));
    let open = annotations.get(labels::ROTATION);
    let open: Option<Open> = open.and_then(|text| serde_json::from_str(text).ok());
    let mut all = Vec::new();
    for suffix in recorded.chain(open.map(|open| open.suffix)) {
        let is_suffix = suffix.len() == 10 && suffix.bytes().all(|c| c.is_ascii_hexdigit());
        if is_suffix && !all.contains(&suffix) {
            all.push(suffix);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let kid = "0123456789abcdef".parse().unwrap();
        Record {
            database_id: "8b1e".to_owned(),
            user: "alice@example.com".to_owned(),
            class: "standard".to_owned(),
            ledger: Ledger::born(kid, "0011223344".to_owned()),
            initialised: true,
        }
    }

    fn written(record: &Record) -> BTreeMap<String, String> {
        let all = record.annotations().into_iter();
        all.filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }

    #[test]
    fn reads_back_what_it_wrote() {
        assert_eq!(Record::parse(&written(&record())), Ok(record()));
    }

    #[test]
    fn names_the_annotation_that_is_missing() {
        for name in [
            labels::DATABASE_ID,
            labels::USER,
            labels::CLASS,
            labels::KEYS,
        ] {
            let mut annotations = written(&record());
            annotations.remove(name);
            assert_eq!(Record::parse(&annotations), Err(RecordError::Missing(name)));
        }
    }

    #[test]
    fn refuses_a_ledger_that_it_cannot_trust() {
        for (name, text) in [
            (labels::KEYS, "x"),
            (labels::CONSUMED, "x"),
            (labels::ROTATION, "{}"),
            (labels::LAST_ROTATION, "[]"),
        ] {
            let mut annotations = written(&record());
            annotations.insert(name.to_owned(), text.to_owned());
            let parsed = Record::parse(&annotations);
            assert!(
                matches!(parsed, Err(RecordError::Ledger(_))),
                "{name}: {parsed:?}"
            );
        }
    }

    #[test]
    fn finds_the_names_of_secrets_in_a_record_that_is_none_any_more() {
        let text = "a:active:0011223344,b:asleep:5566778899:7,c:d:../../e,0011223344";
        let annotations = BTreeMap::from([(labels::KEYS.to_owned(), text.to_owned())]);
        assert_eq!(suffixes(&annotations), ["0011223344", "5566778899"]);
    }
}
