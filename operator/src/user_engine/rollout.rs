//! Whose turn it is to be restarted when a class has changed: a few of its engines at a time.
//!
//! In memory only. What it holds is found out anew at every look: an engine that comes up says so, and one that waits asks
//! again. An operator that has just begun has looked at nobody, and so gives no turns before it had the time to.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::assess::Standing;

/// For so long after it has looked at the last engine that it found, a new operator gives no turns: by then it knows who comes up.
const LOOK_AROUND: Duration = Duration::from_secs(5);

/// A place whose engines cannot be listed keeps those of the others from their turns for so long after the first look.
const LONGEST_LISTS: Duration = Duration::from_mins(1);

/// What is known of all engines that come up or wait.
#[derive(Default)]
pub struct Rollouts {
    around: Mutex<Around>,
    classes: Mutex<HashMap<String, Class>>,
}

/// How far a new operator has looked around.
#[derive(Default)]
struct Around {
    /// When the first look began.
    first: Option<Instant>,
    /// When the last engine was looked at that was there before, or the last place was listed: an operator that has just begun may
    /// need a minute for all of them.
    last: Option<Instant>,
    /// Places of which nobody knows yet which engines are there.
    unlisted: usize,
}

#[derive(Default)]
struct Class {
    /// Those that are being restarted, or do not serve yet as the class is now.
    coming_up: HashSet<String>,
    /// Those that wait, in the order in which they first asked.
    waiting: VecDeque<String>,
}

impl Rollouts {
    /// Of an operator that has so many places to list.
    pub fn of(places: usize) -> Self {
        let around = Around {
            unlisted: places,
            ..Around::default()
        };
        Self {
            around: Mutex::new(around),
            classes: Mutex::default(),
        }
    }

    /// One more place is listed.
    pub fn listed(&self) {
        let mut around = self.around.lock().unwrap_or_else(PoisonError::into_inner);
        around.unlisted = around.unlisted.saturating_sub(1);
        around.last = Some(Instant::now());
    }

    /// An engine is looked at; one that was there before, for the first time, if so.
    pub fn begin(&self, is_found: bool) {
        let mut around = self.around.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        around.first.get_or_insert(now);
        if is_found || around.last.is_none() {
            around.last = Some(now);
        }
    }

    /// Asks for the engine's turn; how many of its class wait before it, if there is none for it.
    pub fn ask(&self, engine: &str, class: &str, most: usize) -> Result<(), usize> {
        let around = self.around.lock().unwrap_or_else(PoisonError::into_inner);
        let looks_around = around.is_under_way();
        drop(around);
        self.with(engine, class, |class| {
            class.ask(engine, if looks_around { 0 } else { most })
        })
    }

    /// How the engine stands after a look.
    pub fn seen(&self, engine: &str, class: &str, standing: Standing) {
        match standing {
            Standing::ComingUp => self.with(engine, class, |class| class.comes_up(engine)),
            Standing::InLine | Standing::Apart => self.forget(engine),
            // It has a turn, or waits for one.
            Standing::Behind => {}
        }
    }

    /// The engine serves, or is none that counts.
    pub fn forget(&self, engine: &str) {
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        classes.retain(|_, class| !class.forget(engine));
    }

    /// Does it with the engine's class, and forgets the engine in every other one: classes are few.
    fn with<T>(&self, engine: &str, name: &str, act: impl FnOnce(&mut Class) -> T) -> T {
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        classes.retain(|other, class| other == name || !class.forget(engine));
        act(classes.entry(name.to_owned()).or_default())
    }
}

impl Around {
    fn is_under_way(&self) -> bool {
        let is_within =
            |since: Option<Instant>, limit| since.is_none_or(|since| since.elapsed() < limit);
        is_within(self.last, LOOK_AROUND)
            || self.unlisted > 0 && is_within(self.first, LONGEST_LISTS)
    }
}

impl Class {
    fn ask(&mut self, engine: &str, most: usize) -> Result<(), usize> {
        if self.coming_up.contains(engine) || self.coming_up.len() < most {
            self.comes_up(engine);
            return Ok(());
        }
        let place = self.waiting.iter().position(|waiting| waiting == engine);
        Err(place.unwrap_or_else(|| {
            self.waiting.push_back(engine.to_owned());
            self.waiting.len() - 1
        }))
    }

    fn comes_up(&mut self, engine: &str) {
        self.waiting.retain(|waiting| waiting != engine);
        self.coming_up.insert(engine.to_owned());
    }

    /// True if nobody is left.
    fn forget(&mut self, engine: &str) -> bool {
        self.waiting.retain(|waiting| waiting != engine);
        self.coming_up.remove(engine);
        self.coming_up.is_empty() && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollouts() -> Rollouts {
        listing(0, LOOK_AROUND)
    }

    /// Of an operator that has so many places still to list, and looked at its first and last engine so long ago.
    fn listing(places: usize, ago: Duration) -> Rollouts {
        let rollouts = Rollouts::of(places);
        let then = Instant::now().checked_sub(ago);
        let mut around = rollouts.around.lock().unwrap();
        (around.first, around.last) = (then, then);
        drop(around);
        rollouts
    }

    #[test]
    fn so_many_of_a_class_have_their_turn_and_the_others_wait_in_line() {
        let rollouts = rollouts();
        let ask = |engine: &str| rollouts.ask(engine, "standard", 2);
        assert_eq!(
            ["a", "b", "c", "d", "c"].map(ask),
            [Ok(()), Ok(()), Err(0), Err(1), Err(0)]
        );
        assert_eq!(ask("a"), Ok(()), "a turn is kept");
        assert_eq!(
            rollouts.ask("e", "large", 2),
            Ok(()),
            "each class has its own"
        );
        rollouts.seen("a", "standard", Standing::Behind);
        assert_eq!(ask("c"), Err(0), "it is not restarted yet");
        rollouts.seen("a", "standard", Standing::ComingUp);
        assert_eq!(ask("c"), Err(0), "it does not serve yet");
        rollouts.seen("a", "standard", Standing::InLine);
        assert_eq!(["c", "d"].map(ask), [Ok(()), Err(0)]);
    }

    #[test]
    fn one_that_does_not_come_up_holds_the_others_until_it_is_gone() {
        let rollouts = rollouts();
        rollouts.seen("broken", "standard", Standing::ComingUp);
        assert_eq!(rollouts.ask("a", "standard", 1), Err(0));
        rollouts.forget("broken");
        assert_eq!(rollouts.ask("a", "standard", 1), Ok(()));
    }

    #[test]
    fn one_that_goes_or_follows_another_class_leaves_its_place() {
        let rollouts = rollouts();
        rollouts.seen("busy", "standard", Standing::ComingUp);
        assert_eq!(rollouts.ask("a", "standard", 1), Err(0));
        assert_eq!(rollouts.ask("b", "standard", 1), Err(1));
        assert_eq!(rollouts.ask("a", "large", 1), Ok(()));
        assert_eq!(rollouts.ask("b", "standard", 1), Err(0));
        rollouts.seen("busy", "standard", Standing::Apart);
        assert_eq!(rollouts.ask("b", "standard", 1), Ok(()));
    }

    #[test]
    fn a_new_operator_looks_around_first() {
        let rollouts = Rollouts::default();
        assert_eq!(rollouts.ask("a", "standard", 5), Err(0), "before any look");
        rollouts.begin(false);
        assert_eq!(rollouts.ask("a", "standard", 5), Err(0));
    }

    #[test]
    fn a_new_operator_gives_no_turns_while_it_still_finds_engines() {
        let rollouts = rollouts();
        rollouts.begin(false);
        assert_eq!(rollouts.ask("a", "standard", 1), Ok(()), "one was made");
        rollouts.begin(true);
        assert_eq!(rollouts.ask("b", "large", 1), Err(0));
    }

    #[test]
    fn a_new_operator_gives_no_turns_before_every_place_is_listed() {
        let rollouts = listing(2, LOOK_AROUND);
        rollouts.listed();
        rollouts.around.lock().unwrap().last = Instant::now().checked_sub(LOOK_AROUND);
        assert_eq!(rollouts.ask("a", "standard", 1), Err(0));
        rollouts.listed();
        assert_eq!(
            rollouts.ask("a", "standard", 1),
            Err(0),
            "nobody there is looked at yet"
        );
        rollouts.around.lock().unwrap().last = Instant::now().checked_sub(LOOK_AROUND);
        assert_eq!(rollouts.ask("a", "standard", 1), Ok(()));
    }

    #[test]
    fn a_place_that_cannot_be_listed_keeps_the_others_from_their_turns_for_a_minute() {
        assert_eq!(
            listing(1, LONGEST_LISTS / 2).ask("a", "standard", 1),
            Err(0)
        );
        assert_eq!(listing(1, LONGEST_LISTS).ask("a", "standard", 1), Ok(()));
    }
}
