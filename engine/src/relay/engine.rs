//! Which engine a callback is for: the `state` of its query.

use url::form_urlencoded;

use crate::domain::DnsLabel;

/// Longest nonce.
const LONGEST_NONCE: usize = 128;

/// An engine, as a `state` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EngineAddress {
    /// Its namespace.
    pub namespace: DnsLabel,
    /// Its name.
    pub name: DnsLabel,
}

/// Why a query names no engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoEngine {
    /// There is no `state`.
    Missing,
    /// There are two: the relay and the engine could disagree on which one counts.
    Twice,
    /// It is not `<namespace>.<name>.<nonce>`.
    Foreign,
}

impl EngineAddress {
    /// The engine that `<namespace>.<name>.<nonce>` in `state` names.
    pub(super) fn of(query: &str) -> Result<Self, NoEngine> {
        let mut states = form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == "state")
            .map(|(_, value)| value);
        let state = states.next().ok_or(NoEngine::Missing)?;
        if states.next().is_some() {
            return Err(NoEngine::Twice);
        }
        Self::parse(&state).ok_or(NoEngine::Foreign)
    }

    fn parse(state: &str) -> Option<Self> {
        let (namespace, rest) = state.split_once('.')?;
        let (name, nonce) = rest.split_once('.')?;
        let url_safe = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let fits = (1..=LONGEST_NONCE).contains(&nonce.len()) && nonce.bytes().all(url_safe);
        if !fits {
            return None;
        }
        Some(Self {
            namespace: namespace.try_into().ok()?,
            name: name.try_into().ok()?,
        })
    }
}
