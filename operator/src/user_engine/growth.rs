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
        self.growth == *growth && now.duration_since(self.at) < STANDS
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
