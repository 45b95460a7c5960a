//! The ledger as texts, one for each annotation of the claim. What is not exactly such a text is refused: a guess about
//! keys could lose everything that they seal.

use std::collections::BTreeSet;

use super::{IdHash, Key, KeyState, Ledger, Open, Phase};

/// A ledger as four texts. One that is absent or empty stands for nothing consumed, open or ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// `kid:state:suffix`, and `:since` for keys out of the ring, joined by commas.
    pub keys: String,
    /// Hashes of ids, joined by commas, in their order.
    pub consumed: Option<String>,
    /// The open rotation, as JSON.
    pub open: Option<String>,
    /// How the last one ended, as JSON.
    pub last: Option<String>,
}

/// The texts are no ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// An entry of the list of keys.
    #[error(
        "{0:?} is not a key: expected kid:state:suffix, and :since for withheld and compromised ones"
    )]
    Key(String),
    /// Two entries for one key, or for one Secret.
    #[error("the key {0} is listed twice")]
    Twice(String),
    /// No key is active, or several are.
    #[error("{0} keys are active: expected one")]
    Active(usize),
    /// An entry of the list of consumed ids.
    #[error("{0:?} is not the hash of an id: expected 10 hex digits")]
    Consumed(String),
    /// The open rotation.
    #[error("the open rotation cannot be read: {0}")]
    Open(String),
    /// The open rotation is past minting, and its target is not staged.
    #[error("the open rotation has no staged key of suffix {0}")]
    Target(String),
    /// The end of the last rotation.
    #[error("the last rotation cannot be read: {0}")]
    Last(String),
}

impl Ledger {
    /// Reads a ledger.
    pub fn parse(texts: &Texts) -> Result<Self, LedgerError> {
        let open = json(texts.open.as_deref()).map_err(LedgerError::Open)?;
        let ledger = Self {
            keys: keys(&texts.keys)?,
            consumed: consumed(texts.consumed.as_deref())?,
            open,
            last: json(texts.last.as_deref()).map_err(LedgerError::Last)?,
        };
        match &ledger.open {
            Some(open) if !is_consistent(&ledger, open) => {
                Err(LedgerError::Target(open.suffix.clone()))
            }
            _ => Ok(ledger),
        }
    }

    /// The texts that [`Ledger::parse`] reads.
    pub fn texts(&self) -> Texts {
        let keys: Vec<_> = self.keys.iter().map(Key::text).collect();
        let consumed: Vec<_> = self.consumed.iter().map(IdHash::as_str).collect();
        // Writing these as JSON cannot fail: their keys are strings, and nothing in them refuses.
        Texts {
            keys: keys.join(","),
            consumed: (!consumed.is_empty()).then(|| consumed.join(",")),
            open: self
                .open
                .as_ref()
                .and_then(|open| serde_json::to_string(open).ok()),
            last: self
                .last
                .as_ref()
                .and_then(|last| serde_json::to_string(last).ok()),
        }
    }
}

impl KeyState {
    /// The word for it, in the record and in status.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Staged => "staged",
            Self::Withheld { .. } => "withheld",
            Self::Compromised { .. } => "compromised",
            Self::Destroying => "destroying",
        }
    }

    fn since(self) -> Option<i64> {
        match self {
            Self::Withheld { since } | Self::Compromised { since } => Some(since),
            Self::Active | Self::Staged | Self::Destroying => None,
        }
    }

    fn parse(word: &str, since: Option<i64>) -> Option<Self> {
        match (word, since) {
            ("active", None) => Some(Self::Active),
            ("staged", None) => Some(Self::Staged),
            ("withheld", Some(since)) => Some(Self::Withheld { since }),
            ("compromised", Some(since)) => Some(Self::Compromised { since }),
            ("destroying", None) => Some(Self::Destroying),
            _ => None,
        }
    }
}

impl Key {
    fn text(&self) -> String {
        let since = self.state.since().map(|since| format!(":{since}"));
        let since = since.unwrap_or_default();
        format!("{}:{}:{}{since}", self.kid, self.state.word(), self.suffix)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (kid, word, suffix) = (parts.next()?, parts.next()?, parts.next()?);
        let since = match parts.next() {
            Some(since) => Some(since.parse().ok()?),
            None => None,
        };
        let is_suffix = IdHash::try_from(suffix.to_owned()).is_ok();
        (is_suffix && parts.next().is_none()).then_some(())?;
        Some(Self {
            kid: kid.parse().ok()?,
            state: KeyState::parse(word, since)?,
            suffix: suffix.to_owned(),
        })
    }
}

fn keys(text: &str) -> Result<Vec<Key>, LedgerError> {
    let mut keys: Vec<Key> = Vec::new();
    for entry in text.split(',') {
        let key = Key::parse(entry).ok_or_else(|| LedgerError::Key(entry.to_owned()))?;
        let is_known = |other: &Key| other.kid == key.kid || other.suffix == key.suffix;
        if keys.iter().any(is_known) {
            return Err(LedgerError::Twice(key.kid.to_string()));
        }
        keys.push(key);
    }
    let is_active = |key: &&Key| key.state == KeyState::Active;
    match keys.iter().filter(is_active).count() {
        1 => Ok(keys),
        count => Err(LedgerError::Active(count)),
    }
}

fn consumed(text: Option<&str>) -> Result<BTreeSet<IdHash>, LedgerError> {
    let entries = text.filter(|text| !text.is_empty());
    entries
        .into_iter()
        .flat_map(|text| text.split(','))
        .map(|entry| {
            let hash = IdHash::try_from(entry.to_owned());
            hash.map_err(|_| LedgerError::Consumed(entry.to_owned()))
        })
        .collect()
}

fn json<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, String> {
    let text = text.filter(|text| !text.is_empty());
    let parse = |text| serde_json::from_str(text).map_err(|error| error.to_string());
    text.map(parse).transpose()
}

/// Past minting the target is in the ring; before, it is where it was.
fn is_consistent(ledger: &Ledger, open: &Open) -> bool {
    let state = ledger.target().map(|key| key.state);
    match open.phase {
        Phase::Minting => state == open.was,
        Phase::Quiescing | Phase::Running | Phase::Clearing => state == Some(KeyState::Staged),
    }
}
