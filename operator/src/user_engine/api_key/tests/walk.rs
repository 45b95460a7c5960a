//! Every order in which things may happen, as far as a dozen of them go.

use std::collections::HashSet;

use super::*;

/// Seconds of overlap.
const OVERLAP: i64 = 2;

/// A Secret, an engine that mounts it, and what a caller and a user may hold against them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Small {
    record: String,
    key: u8,
    next: Option<u8>,
    drawn: u8,
    /// What the engine accepts; `None`: it sleeps.
    engine: Option<Vec<String>>,
    /// The id that is asked for.
    asked: u8,
    /// How often each id drew its first key.
    started: [u8; 3],
    /// The former key, and since when it is one in the time that no clock shows.
    former: Option<(u8, i64)>,
    time: i64,
    clock: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Look { heard: bool },
    Deliver,
    Second,
    ClockBack,
    Ask(u8),
    Sleep,
    Wake,
}

const EVENTS: [Event; 9] = [
    Event::Look { heard: true },
    Event::Look { heard: false },
    Event::Deliver,
    Event::Second,
    Event::ClockBack,
    Event::Ask(1),
    Event::Ask(2),
    Event::Sleep,
    Event::Wake,
];

fn hash(key: u8) -> String {
    format!("{key:08}-hash")
}

impl Small {
    fn born() -> Self {
        Self {
            record: Record::default().text(),
            key: 0,
            next: None,
            drawn: 0,
            engine: Some(vec![short(&hash(0))]),
            asked: 0,
            started: [0; 3],
            former: None,
            time: 0,
            clock: 0,
        }
    }

    fn record(&self) -> Record {
        serde_json::from_str(&self.record).unwrap()
    }

    /// The short names of what the Secret gives to a pod.
    fn mounted(&self) -> Vec<String> {
        let (key, next) = (hash(self.key), self.next.map(hash));
        let record = self.record();
        let hashes = record.hashes(&key, next.as_deref());
        hashes.into_iter().map(short).collect()
    }

    fn after(mut self, event: Event) -> Self {
        match event {
            Event::Look { heard } => self.look(heard),
            Event::Deliver if self.engine.is_some() => self.engine = Some(self.mounted()),
            Event::Second => {
                self.time += 1;
                self.clock += 1;
            }
            Event::ClockBack => self.clock -= 5,
            Event::Ask(number) => self.asked = number,
            Event::Sleep => self.engine = None,
            Event::Wake if self.engine.is_none() => self.engine = Some(self.mounted()),
            Event::Deliver | Event::Wake => {}
        }
        self
    }

    /// One look of an operator that remembers nothing, and the one write that comes of it.
    fn look(&mut self, heard: bool) {
        let asked = (self.asked > 0).then(|| id(&self.asked.to_string()));
        let decision = decide(&Seen {
            record: &self.record(),
            key: &hash(self.key),
            next: self.next.map(hash).as_deref(),
            asked: asked.as_ref(),
            overlap: OVERLAP,
            held_back: false,
            engine: match &self.engine {
                None => Engine::Asleep,
                Some(names) if heard => Engine::Accepts(names),
                Some(_) => Engine::Unheard,
            },
            now: self.clock,
        });
        let Decision::Write(change) = decision else {
            return;
        };
        self.record = change.record.text();
        match change.keys {
            Keys::Stay => self.next = None,
            Keys::Draw => {
                self.drawn += 1;
                self.next = Some(self.drawn);
            }
            Keys::Swap => {
                self.former = Some((self.key, self.time));
                self.key = self.next.take().unwrap();
            }
        }
        if let Some(News::Started(id)) = change.news {
            let number: usize = id.as_str().parse().unwrap();
            self.started[number] += 1;
        }
    }

    fn check(&self, way: &[Event]) {
        let accepts = |key: u8| {
            let engine = self.engine.as_ref();
            engine.is_none_or(|names| names.contains(&short(&hash(key))))
        };
        assert!(accepts(self.key), "the key is refused: {way:?}");
        if let Some((former, since)) = self.former
            && self.time < since + OVERLAP
        {
            assert!(accepts(former), "an overlap was cut short: {way:?}");
        }
        assert!(self.started.iter().all(|count| *count <= 1), "{way:?}");
        let record = self.record();
        if let (None, Some((former, _))) = (&record.open, self.former) {
            let is_forgotten = self.engine.is_none() || !accepts(former);
            assert!(is_forgotten, "it is over, and not forgotten: {way:?}");
        }
    }
}

#[test]
fn the_key_is_always_accepted_a_former_one_for_its_time_and_no_id_counts_twice() {
    let mut known = HashSet::new();
    let mut edge = vec![(Small::born(), Vec::new())];
    for _ in 0..13 {
        let mut next = Vec::new();
        for (state, way) in edge {
            for event in EVENTS {
                let after = state.clone().after(event);
                if known.insert(after.clone()) {
                    let way = [way.as_slice(), &[event]].concat();
                    after.check(&way);
                    next.push((after, way));
                }
            }
        }
        edge = next;
    }
    let two = known
        .iter()
        .filter(|state| state.record().done == Some(id("2")));
    let two = two.filter(|state| state.started == [0, 1, 1]);
    assert!(two.count() > 0, "no walk came to the end of two rotations");
}
