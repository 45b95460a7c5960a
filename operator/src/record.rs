//! The record of a brain: annotations on its claim.
//!
//! Kubernetes may lose every other object of an engine; as long as the claim is there, the record
//! says whose brain it is, which keys it needs and whether it was ever made.

use std::collections::BTreeMap;

use userengine_api::key::Kid;
use userengine_api::labels;

/// What is known of a brain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id that the brain carries inside: the uid of the `UserEngine` under which it was born.
    pub database_id: String,
    /// The user it belongs to.
    pub user: String,
    /// The class that the engine sticks to.
    pub class: String,
    /// The keys that it may need.
    pub keys: Vec<RecordedKey>,
    /// True once the engine was Ready: from then on a missing brain is a loss, never a beginning.
    pub initialised: bool,
}

/// One key of a brain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedKey {
    /// Its id.
    pub kid: Kid,
    /// What it is good for.
    pub state: KeyState,
    /// The end of its Secret's name.
    pub suffix: String,
}

/// What a key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// New values are sealed with it.
    Active,
}

impl KeyState {
    /// As the record has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
        }
    }
}

/// The annotations are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// One is not there.
    #[error("the annotation {0} is missing")]
    Missing(&'static str),
    /// The list of keys cannot be read.
    #[error(
        "the annotation {} is not a list of kid:state:suffix with one active key",
        labels::KEYS
    )]
    Keys,
}

impl Record {
    /// Reads the record of a claim.
    pub fn parse(annotations: &BTreeMap<String, String>) -> Result<Self, RecordError> {
        let get = |name: &'static str| match annotations.get(name) {
            Some(value) if !value.is_empty() => Ok(value.clone()),
            _ => Err(RecordError::Missing(name)),
        };
        get(labels::KEYS)?;
        let keys = recorded_keys(annotations).ok_or(RecordError::Keys)?;
        Ok(Self {
            database_id: get(labels::DATABASE_ID)?,
            user: get(labels::USER)?,
            class: get(labels::CLASS)?,
            keys,
            initialised: annotations
                .get(labels::INITIALISED)
                .is_some_and(|value| value == "true"),
        })
    }

    /// The annotations that [`Record::parse`] reads.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let keys: Vec<_> = self
            .keys
            .iter()
            .map(|key| format!("{}:{}:{}", key.kid, key.state.as_str(), key.suffix))
            .collect();
        [
            (labels::DATABASE_ID, self.database_id.clone()),
            (labels::USER, self.user.clone()),
            (labels::CLASS, self.class.clone()),
            (labels::KEYS, keys.join(",")),
            (labels::INITIALISED, self.initialised.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// The key that new values are sealed with.
    pub fn active(&self) -> Option<&RecordedKey> {
        self.keys.iter().find(|key| key.state == KeyState::Active)
    }
}

/// The keys of a record, whatever the rest of it is like; `None` if they cannot be read.
pub fn recorded_keys(annotations: &BTreeMap<String, String>) -> Option<Vec<RecordedKey>> {
    let text = annotations.get(labels::KEYS)?;
    let keys: Vec<_> = text.split(',').map(parse_key).collect::<Option<_>>()?;
    let is_active = |key: &&RecordedKey| key.state == KeyState::Active;
    (keys.iter().filter(is_active).count() == 1).then_some(keys)
}

fn parse_key(text: &str) -> Option<RecordedKey> {
    let mut parts = text.split(':');
    let (kid, state, suffix) = (parts.next()?, parts.next()?, parts.next()?);
    let state = match state {
        "active" => KeyState::Active,
        _ => return None,
    };
    let is_suffix = suffix.len() == 10 && suffix.bytes().all(|c| c.is_ascii_hexdigit());
    (parts.next().is_none() && is_suffix).then_some(())?;
    Some(RecordedKey {
        kid: kid.parse().ok()?,
        state,
        suffix: suffix.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            database_id: "8b1e".to_owned(),
            user: "alice@example.com".to_owned(),
            class: "standard".to_owned(),
            keys: vec![RecordedKey {
                kid: "0123456789abcdef".parse().unwrap(),
                state: KeyState::Active,
                suffix: "0011223344".to_owned(),
            }],
            initialised: true,
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        assert_eq!(Record::parse(&record().annotations()), Ok(record()));
    }

    #[test]
    fn names_the_annotation_that_is_missing() {
        for name in [
            labels::DATABASE_ID,
            labels::USER,
            labels::CLASS,
            labels::KEYS,
        ] {
            let mut annotations = record().annotations();
            annotations.remove(name);
            assert_eq!(Record::parse(&annotations), Err(RecordError::Missing(name)));
        }
    }

    #[test]
    fn refuses_a_list_of_keys_that_it_cannot_trust() {
        let key = "0123456789abcdef:active:0011223344";
        let cases = [
            "x",
            "0123456789abcdef:active",
            "0123456789abcdef:sleeping:0011223344",
            "0123456789abcdef:active:00:1",
        ];
        for text in cases
            .map(str::to_owned)
            .into_iter()
            .chain([format!("{key},{key}"), format!("{key},")])
        {
            let mut annotations = record().annotations();
            annotations.insert(labels::KEYS.to_owned(), text.clone());
            assert_eq!(
                Record::parse(&annotations),
                Err(RecordError::Keys),
                "{text}"
            );
        }
    }
}
