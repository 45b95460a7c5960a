//! Whose turn it is to be tried anew.
//!
//! A kubelet waits longer and longer between its tries at an image, and the controller of StatefulSets between its tries at a pod
//! that the API server refuses; nobody tells either that it is mended. So of all engines that lack the same, one is tried anew
//! now and then, and once it fares better, so are all others. In memory only: an operator that has just begun asks anew.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::assess::{self, Assessment};
use super::observed::Observed;
use super::{Context, observe, plan};

/// How long ago the last try was when there is another one, of the same engine and of any that lacks the same. A kubelet tries
/// at a new pod's image at once, ten seconds later, and twenty after that.
const TRY: Duration = Duration::from_mins(1);
/// How much longer one waits that had its turn while others lack the same: so that each of them has asked.
const AFTER_OTHERS: Duration = Duration::from_secs(15);
/// The least time between two tries, whatever is lacking: a cluster may be without any registry.
const BETWEEN: Duration = Duration::from_secs(1);
/// The same for those that lack what another one has by now.
const BETWEEN_SURE: Duration = Duration::from_millis(100);

/// Sees to it that what the engine lacks is asked for anew, if it is its turn.
pub fn try_anew(context: &Context, observed: &mut Observed, assessment: &Assessment) {
    let name = observed.full_name();
    let pod = observed.pod.as_ref();
    if let Some(pod) = pod.filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let image = assess::image_that_is_there(pod);
        context.tries.had(&name, image, Instant::now());
    }
    let lack = assess::lack(observed).filter(|(lack, _)| match lack {
        Lack::Image(_) => !assessment.paused.holds(),
        Lack::Pod { .. } => plan::keeps_the_set(assessment),
    });
    let Some((lack, since)) = lack else {
        return;
    };
    let age = observe::age(since, observed.now).and_then(|age| Duration::try_from(age).ok());
    if !age.is_some_and(|age| context.tries.ask(&name, &lack, age, Instant::now())) {
        return;
    }
    match lack {
        Lack::Image(_) => observed.found = true,
        Lack::Pod { .. } => {
            let bounds = observed.bounds.take().unwrap_or_default();
            observed.bounds = Some(format!("{bounds}-{}", observed.now.as_second()));
        }
    }
}

/// What an engine lacks, and may have at its next try.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lack {
    /// This image.
    Image(String),
    /// A pod, which the API server refuses in this namespace in these words.
    Pod {
        /// What refuses pods may except a namespace.
        namespace: String,
        /// Without the engine's name and without figures.
        words: String,
    },
}

impl Lack {
    /// Who has this may have had the same trouble as who lacks the other.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pod { words, .. }, Self::Pod { words: others, .. }) => words == others,
            _ => self == other,
        }
    }
}

/// What is known of all engines that lack something.
#[derive(Default)]
pub struct Tries(Mutex<Known>);

#[derive(Default)]
struct Known {
    lacks: HashMap<Lack, Lacking>,
    last: Option<Instant>,
}

#[derive(Default)]
struct Lacking {
    /// With the last turn of each.
    engines: HashMap<String, Option<Instant>>,
    tried: Option<Instant>,
    had: Option<Instant>,
}

impl Tries {
    /// The engine lacks this since it was tried last, so long ago: is it to be tried anew?
    pub fn ask(&self, engine: &str, lack: &Lack, age: Duration, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.leaves(engine, |other| other != lack);
        let Known { lacks, last } = &mut *known;
        let lacking = lacks.entry(lack.clone()).or_default();
        let since = |time: Option<Instant>| time.map(|time| now.saturating_duration_since(time));
        let is_alone = lacking.engines.keys().all(|other| other == engine);
        let turn = lacking.engines.entry(engine.to_owned()).or_default();
        let patience = match turn {
            Some(_) if !is_alone => TRY + AFTER_OTHERS,
            _ => TRY,
        };
        // What came of its turn may not show, and nobody else is to go without for that.
        let age = since(*turn).map_or(age, |turn| turn.min(age));
        let is_sure = since(lacking.had).is_some_and(|had| had < age);
        let is_due = is_sure || since(lacking.tried).is_none_or(|tried| tried >= TRY);
        let between = if is_sure { BETWEEN_SURE } else { BETWEEN };
        let has_room = since(*last).is_none_or(|last| last >= between);
        let is_its_turn = age >= patience && is_due && has_room;
        if is_its_turn {
            (*turn, lacking.tried, *last) = (Some(now), Some(now), Some(now));
        }
        is_its_turn
    }

    /// The engine has a pod, and that has this image, if any yet: whoever lacks the same may have it, too.
    pub fn had(&self, engine: &str, image: Option<&str>, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let had = |(lack, lacking): (&Lack, &Lacking)| {
            let has_it = match lack {
                Lack::Image(lack) => image == Some(lack),
                Lack::Pod { .. } => true,
            };
            (has_it && lacking.engines.contains_key(engine)).then(|| lack.clone())
        };
        let had: Vec<_> = known.lacks.iter().filter_map(had).collect();
        for (lack, lacking) in &mut known.lacks {
            if had.iter().any(|had| had.is_like(lack)) {
                lacking.had = Some(now);
            }
        }
        known.leaves(engine, |lack| {
            image.is_some() || matches!(lack, Lack::Pod { .. })
        });
    }

    /// The engine is gone.
    pub fn forget(&self, engine: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.leaves(engine, |_| true);
    }
}

impl Known {
    /// The engine lacks none of these any more. What nobody lacks is forgotten with it.
    fn leaves(&mut self, engine: &str, which: impl Fn(&Lack) -> bool) {
        self.lacks.retain(|lack, lacking| {
            if which(lack) {
                lacking.engines.remove(engine);
            }
            !lacking.engines.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks at this second, for an engine whose pod was made at that one.
    struct Asks(Tries, Instant);

    impl Asks {
        fn new() -> Self {
            Self(Tries::default(), Instant::now())
        }

        fn at(&self, second: u64) -> Instant {
            self.1 + Duration::from_secs(second)
        }

        fn ask(&self, engine: &str, image: &str, made: u64, second: u64) -> bool {
            let age = Duration::from_secs(second - made);
            let lack = Lack::Image(image.to_owned());
            self.0.ask(engine, &lack, age, self.at(second))
        }
    }

    #[test]
    fn one_of_those_that_wait_for_an_image_is_tried_each_minute() {
        let asks = Asks::new();
        assert!(!asks.ask("a", "x", 0, 59), "its kubelet tries by itself");
        assert!(asks.ask("a", "x", 0, 60));
        assert!(!asks.ask("b", "x", 0, 70), "one at a time");
        assert!(!asks.ask("a", "x", 61, 70));
        assert!(asks.ask("b", "x", 0, 120));
        assert!(!asks.ask("a", "x", 61, 121));
        assert!(asks.ask("a", "x", 61, 180));
    }

    #[test]
    fn once_one_has_it_all_others_are_tried() {
        let asks = Asks::new();
        assert!(asks.ask("a", "x", 0, 60));
        assert!(!asks.ask("b", "x", 0, 62) && !asks.ask("c", "x", 0, 62));
        asks.0.had("stranger", Some("x"), asks.at(62));
        assert!(!asks.ask("b", "x", 0, 63), "its node had it all the time");
        asks.0.had("a", None, asks.at(63));
        assert!(
            !asks.ask("b", "x", 0, 64),
            "it has a pod, and not the image"
        );
        asks.0.had("a", Some("x"), asks.at(64));
        assert!(asks.ask("b", "x", 0, 65));
        assert!(!asks.ask("c", "x", 0, 65), "not all at once");
        assert!(asks.ask("c", "x", 0, 66));
        assert!(!asks.ask("b", "x", 65, 125), "that was before this pod");
        assert!(asks.ask("b", "x", 65, 141), "and its turn comes again");
    }

    #[test]
    fn a_pod_of_one_is_a_pod_for_all_that_were_refused_alike() {
        let asks = Asks::new();
        let ask = |engine: &str, namespace: &str, words: &str, second| {
            let (namespace, words) = (namespace.to_owned(), words.to_owned());
            let (lack, age) = (Lack::Pod { namespace, words }, Duration::from_mins(2));
            asks.0.ask(engine, &lack, age, asks.at(second))
        };
        assert!(ask("a", "acme", "no", 0) && !ask("b", "acme", "no", 1));
        assert!(ask("c", "acme", "never", 2));
        assert!(ask("d", "other", "no", 3), "each namespace has its own try");
        assert!(!ask("e", "other", "no", 4));
        asks.0.had("a", None, asks.at(5));
        assert!(ask("b", "acme", "no", 6) && ask("e", "other", "no", 7));
        assert!(!ask("c", "acme", "never", 8));
    }

    #[test]
    fn one_for_which_nothing_comes_of_its_turn_keeps_it_from_nobody() {
        let asks = Asks::new();
        assert!(asks.ask("broken", "x", 0, 60));
        asks.ask("a", "x", 0, 61);
        asks.0.had("a", Some("x"), asks.at(62));
        assert!(!asks.ask("broken", "x", 0, 63));
        assert!(asks.ask("b", "x", 0, 63));
        assert!(asks.ask("c", "y", 0, 64));
        assert!(
            !asks.ask("broken", "x", 0, 123),
            "those who had none come first"
        );
        assert!(asks.ask("broken", "x", 0, 135));
    }

    #[test]
    fn many_images_are_not_tried_all_at_once() {
        let asks = Asks::new();
        assert!(asks.ask("a", "x", 0, 100));
        assert!(!asks.ask("b", "y", 0, 100));
        assert!(asks.ask("b", "y", 0, 101));
    }

    #[test]
    fn nothing_is_kept_of_engines_that_wait_no_more() {
        let asks = Asks::new();
        asks.ask("a", "x", 0, 100);
        asks.ask("a", "y", 0, 100);
        asks.ask("b", "z", 0, 100);
        asks.ask("c", "z", 0, 100);
        asks.0.had("a", Some("other"), asks.at(101));
        asks.0.forget("b");
        asks.0.forget("c");
        assert!(asks.0.0.lock().unwrap().lacks.is_empty());
    }
}
