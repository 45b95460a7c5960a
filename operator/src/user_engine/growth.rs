//! Growths of volumes that were refused: what was refused once is not asked for again at every look.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use userengine_api::quantity::Quantity;

/// How long a refusal stands. A StorageClass may learn to grow, and nobody tells us.
const STANDS: SignedDuration = SignedDuration::from_mins(10);

/// A volume that should be larger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Which claim; `None` only in tests.
    pub claim: Option<String>,
    /// What it asks for.
    pub from: Quantity,
    /// What it should ask for.
    pub to: Quantity,
}

/// A growth that the API server would not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub growth: Growth,
    /// What is said of it.
    pub message: String,
    /// When it was refused.
    pub at: Timestamp,
}

impl Refused {
    /// Asking for this growth now would be asking the same again.
    pub fn stands_against(&self, growth: &Growth, now: Timestamp) -> bool {
        // A clock that was put back makes no refusal last.
        let age = now.duration_since(self.at);
        self.growth == *growth && (SignedDuration::ZERO..STANDS).contains(&age)
    }
}

/// The last refusal of each engine, by namespace and name. Kept in memory: after a restart each is asked for once more.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<String, Refused>>);

impl Refusals {
    /// What was refused last.
    pub fn of(&self, engine: &str) -> Option<Refused> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(engine).cloned()
    }

    /// This was refused.
    pub fn remember(&self, engine: &str, refused: Refused) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(engine.to_owned(), refused);
    }

    /// The engine is gone.
    pub fn forget(&self, engine: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(engine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_stands_for_a_while_and_never_because_the_clock_was_put_back() {
        let growth = Growth {
            claim: None,
            from: "1Gi".parse().unwrap(),
            to: "2Gi".parse().unwrap(),
        };
        let refused = Refused {
            growth: growth.clone(),
            message: String::new(),
            at: Timestamp::from_second(86_400).unwrap(),
        };
        let stands = |second| {
            let now = Timestamp::from_second(second).unwrap();
            refused.stands_against(&growth, now)
        };
        assert!(stands(86_400) && stands(86_999));
        assert!(!stands(87_000) && !stands(0));
    }
}
