//! When a key is due because of its age.

use sha2::{Digest, Sha256};
use userengine_api::key::Kid;

use crate::ledger::{Ledger, Outcome};
use crate::request::{AUTOMATIC, Mode, Request, RotationId};

/// Seconds between a rotation because of age that came to nothing, and the next.
pub const REST_SECONDS: i64 = 86_400;
/// Which part of the maximum age a fleet is spread over: a tenth, before the age is reached.
const SPREAD: i64 = 10;

/// The age of a brain's active key.
#[derive(Debug, Clone, Copy)]
pub struct Age<'a> {
    /// The id that the brain carries.
    pub database_id: &'a str,
    /// Unix seconds of when the active key's Secret was created.
    pub created: i64,
    /// Seconds after which it should be replaced.
    pub max_age: i64,
}

impl Age<'_> {
    /// Unix seconds from which on the rotation is due. Brains of one age are spread, each always by the same part. After one
    /// of the same key that came to nothing it rests, whatever else came to nothing since.
    pub fn due_at(&self, ledger: &Ledger) -> i64 {
        let old = self.created.saturating_add(self.max_age);
        let due = old.saturating_sub(self.spread());
        let first = ledger.active().and_then(|key| ids(&key.kid).next());
        let is_first = first.is_none_or(|first| !ledger.has_consumed(&first));
        let last = ledger.last.as_ref().filter(|_| !is_first);
        match last.filter(|last| last.outcome != Outcome::Certified) {
            Some(last) => due.max(last.ended.saturating_add(REST_SECONDS)),
            None => due,
        }
    }

    /// The rotation, if it is due. While one is open, none is.
    pub fn due(&self, ledger: &Ledger, now: i64) -> Option<Request> {
        let is_due = ledger.open.is_none() && self.due_at(ledger) <= now;
        let from = ledger.active().filter(|_| is_due)?;
        Some(Request {
            id: next_id(ledger, &from.kid)?,
            mode: Mode::Normal,
            rollback_to: None,
            set_aside: Vec::new(),
        })
    }

    fn spread(&self) -> i64 {
        let digest = Sha256::digest(self.database_id);
        let part = digest
            .iter()
            .take(2)
            .fold(0, |sum, byte| sum * 256 + i64::from(*byte));
        // Of u16::MAX + 1 parts; in 128 bits, since a maximum age may be any number of seconds.
        let spread = i128::from(self.max_age / SPREAD) * i128::from(part) / 65_536;
        i64::try_from(spread).unwrap_or_default()
    }
}

/// `age-<kid>`; after one that came to nothing `age-<kid>-2` and so on, since an id is over once it ended.
fn next_id(ledger: &Ledger, from: &Kid) -> Option<RotationId> {
    ids(from).find(|id| !ledger.has_consumed(id))
}

fn ids(from: &Kid) -> impl Iterator<Item = RotationId> {
    let first = std::iter::once(format!("{AUTOMATIC}{from}"));
    let others = (2..).map(move |n: u64| format!("{AUTOMATIC}{from}-{n}"));
    first
        .chain(others)
        .filter_map(|text| RotationId::try_from(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{IdHash, Last};

    const DAY: i64 = 86_400;

    fn ledger() -> Ledger {
        Ledger::born("a".repeat(16).parse().unwrap(), "a".repeat(10))
    }

    fn age(database_id: &str) -> Age<'_> {
        Age {
            database_id,
            created: 1_000 * DAY,
            max_age: 90 * DAY,
        }
    }

    fn ended(id: &str, outcome: Outcome) -> Last {
        Last {
            id: id.to_owned().try_into().unwrap(),
            outcome,
            started: 0,
            ended: 2_000 * DAY,
            why: String::new(),
            certificate: None,
        }
    }

    /// The ledger after these rotations.
    fn after(ended: &[&Last]) -> Ledger {
        let mut ledger = ledger();
        let ids = ended.iter().map(|last| IdHash::of(&last.id));
        ledger.consumed.extend(ids);
        ledger.last = ended.last().map(|last| (*last).clone());
        ledger
    }

    #[test]
    fn a_key_is_due_within_the_last_tenth_of_its_age_and_never_later() {
        let dues: Vec<_> = (0..500)
            .map(|n| age(&format!("db-{n}")).due_at(&ledger()))
            .collect();
        let (first, last) = (*dues.iter().min().unwrap(), *dues.iter().max().unwrap());
        assert!(first >= 1_081 * DAY && last <= 1_090 * DAY);
        assert!(last - first > 8 * DAY, "a fleet of one age is spread");
    }

    #[test]
    fn the_same_brain_is_always_due_at_the_same_time() {
        let due_at = |id| age(id).due_at(&ledger());
        assert_eq!(due_at("db"), due_at("db"));
        assert_ne!(due_at("db"), due_at("db-2"));
    }

    #[test]
    fn names_the_rotation_after_the_key_that_it_replaces() {
        let due_at = age("db").due_at(&ledger());
        assert_eq!(age("db").due(&ledger(), due_at - 1), None);
        let due = age("db").due(&ledger(), due_at).unwrap();
        assert_eq!(due.id.as_str(), "age-aaaaaaaaaaaaaaaa");
        assert!(due.id.is_automatic() && due.mode == Mode::Normal);
    }

    #[test]
    fn after_one_that_came_to_nothing_rests_a_day_and_takes_a_new_id() {
        let first = ended("age-aaaaaaaaaaaaaaaa", Outcome::Refused);
        for last in [
            first.clone(),
            ended("age-aaaaaaaaaaaaaaaa", Outcome::Failed),
            // Somebody asked for what cannot be, meanwhile.
            ended("r-1", Outcome::Rejected),
        ] {
            let ledger = after(&[&first, &last]);
            assert_eq!(age("db").due(&ledger, 2_001 * DAY - 1), None);
            let next = age("db").due(&ledger, 2_001 * DAY).unwrap();
            assert_eq!(next.id.as_str(), "age-aaaaaaaaaaaaaaaa-2");
        }
    }

    #[test]
    fn a_maximum_age_that_was_raised_counts_also_after_one_that_came_to_nothing() {
        let ledger = after(&[&ended("age-aaaaaaaaaaaaaaaa", Outcome::Refused)]);
        let raised = Age {
            max_age: 2_000 * DAY,
            ..age("db")
        };
        assert!(raised.due_at(&ledger) >= 2_800 * DAY);
    }

    #[test]
    fn what_came_of_other_rotations_changes_nothing() {
        let due_at = age("db").due_at(&ledger());
        for last in [
            ended("r-1", Outcome::Failed),
            ended("age-bbbbbbbbbbbbbbbb", Outcome::Certified),
        ] {
            assert_eq!(age("db").due_at(&after(&[&last])), due_at);
        }
    }

    #[test]
    fn the_longest_age_is_never_reached() {
        let age = Age {
            database_id: "db",
            created: 5,
            max_age: i64::MAX,
        };
        assert!(age.due_at(&ledger()) > i64::MAX / 10 * 8);
    }
}
