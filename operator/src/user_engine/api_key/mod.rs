//! The rotation of an API key: what comes next. Pure.
//!
//! Everything durable is in the Secret, keys and [`Record`] together, and changes in one write in the version that was
//! seen. So there is no state between two writes, and every decision may be taken again:
//!
//! | stage | the Secret holds | the engine is to accept | it ends when |
//! | --- | --- | --- | --- |
//! | none | `key` | `key` | an id is asked for that is not known |
//! | Publishing | `key`, `nextKey` | both | the engine says that it accepts both, or it sleeps |
//! | Overlapping | the next key as `key` | it and the former one | the time is over |
//! | Retiring | `key` | `key` | the engine says that it accepts no other, or it sleeps |

mod record;

use userengine_rotation::request::RotationId;

pub use record::{Open, Record, Stage};

/// What a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What the Secret remembers.
    pub record: &'a Record,
    /// The hash of the key.
    pub key: &'a str,
    /// The hash of the next key, if there is a usable one.
    pub next: Option<&'a str>,
    /// The rotation that is asked for.
    pub asked: Option<&'a RotationId>,
    /// Seconds for which a former key is accepted.
    pub overlap: i64,
    /// Nothing may begin.
    pub held_back: bool,
    /// What the engine says.
    pub engine: Engine<'a>,
    /// Unix seconds, rounded down.
    pub now: i64,
}

/// What the engine says of the keys that it accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine<'a> {
    /// There is none, and none is to be: one that starts reads what the Secret holds then.
    Asleep,
    /// It was not asked, or did not answer.
    Unheard,
    /// It accepts the keys of these short names.
    Accepts(&'a [String]),
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The Secret changes, and everything is looked at again.
    Write(Change),
    /// Nothing to do.
    Rest,
    /// The engine is to say that it accepts what the Secret gives it, and nothing else.
    AwaitEngine,
    /// Nothing to do for so many seconds.
    AwaitTime(i64),
}

/// One write of the Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it remembers from then on.
    pub record: Record,
    /// What becomes of its keys.
    pub keys: Keys,
    /// What there is to tell once it is done.
    pub news: Option<News>,
}

/// What a write does to the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// They stay.
    Stay,
    /// A new next key is drawn.
    Draw,
    /// The next key becomes the key.
    Swap,
}

/// What a rotation has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// There is a next key.
    Started(RotationId),
    /// It has become the key; the former one is accepted for so many seconds.
    Rotated(RotationId, i64),
    /// The former one is not accepted any more.
    Retired(RotationId),
}

/// The name of a key in the engine's answers: the first digits of its hash.
pub fn short(hash: &str) -> String {
    hash.chars().take(8).collect()
}

/// Decides.
pub fn decide(seen: &Seen<'_>) -> Decision {
    let Some(Open { id, stage }) = &seen.record.open else {
        return begin(seen);
    };
    match stage {
        Stage::Publishing => publishing(seen, id),
        Stage::Overlapping { since, former } => overlapping(seen, id, *since, former),
        Stage::Retiring if !is_known_to_the_engine(seen) => Decision::AwaitEngine,
        Stage::Retiring => {
            let news = Some(News::Retired(id.clone()));
            write(seen.record.clone().over(id), Keys::Stay, news)
        }
    }
}

fn begin(seen: &Seen<'_>) -> Decision {
    let asked = seen.asked.filter(|id| !seen.record.knows(id));
    match asked.filter(|_| !seen.held_back) {
        Some(id) => draw(seen, id, Some(News::Started(id.clone()))),
        None => Decision::Rest,
    }
}

fn publishing(seen: &Seen<'_>, id: &RotationId) -> Decision {
    // Somebody took it away, spoilt it, or made it the key: then it is no next key.
    if seen.next.is_none_or(|next| next == seen.key) {
        return draw(seen, id, None);
    }
    if !is_known_to_the_engine(seen) {
        return Decision::AwaitEngine;
    }
    let stage = Stage::Overlapping {
        since: rounded_up(seen.now),
        former: seen.key.to_owned(),
    };
    let news = News::Rotated(id.clone(), seen.overlap);
    write(seen.record.at(id, stage), Keys::Swap, Some(news))
}

fn overlapping(seen: &Seen<'_>, id: &RotationId, since: i64, former: &str) -> Decision {
    if since > rounded_up(seen.now) {
        // The clock was put back. The overlap begins anew, and not when the clock is there again.
        let stage = Stage::Overlapping {
            since: rounded_up(seen.now),
            former: former.to_owned(),
        };
        return write(seen.record.at(id, stage), Keys::Stay, None);
    }
    let left = since.saturating_add(seen.overlap).saturating_sub(seen.now);
    if left > 0 {
        return Decision::AwaitTime(left);
    }
    write(seen.record.at(id, Stage::Retiring), Keys::Stay, None)
}

/// `now` is cut to the second: from the next one on, no overlap is shorter than it should be.
fn rounded_up(now: i64) -> i64 {
    now.saturating_add(1)
}

fn draw(seen: &Seen<'_>, id: &RotationId, news: Option<News>) -> Decision {
    write(seen.record.at(id, Stage::Publishing), Keys::Draw, news)
}

fn write(record: Record, keys: Keys, news: Option<News>) -> Decision {
    Decision::Write(Change { record, keys, news })
}

fn is_known_to_the_engine(seen: &Seen<'_>) -> bool {
    match seen.engine {
        Engine::Asleep => true,
        Engine::Unheard => false,
        Engine::Accepts(names) => {
            let hashes = seen.record.hashes(seen.key, seen.next).into_iter();
            hashes.map(short).eq(names.iter().cloned())
        }
    }
}

#[cfg(test)]
mod tests;
