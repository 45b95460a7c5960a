//! What is wrong with a catalog: file, entry, field, what was expected.

use std::fmt;

/// Most messages of one reading; what goes beyond is counted.
pub(super) const MOST_MESSAGES: usize = 100;

/// Longest name from a file that a message repeats, in characters.
const LONGEST_NAME: usize = 60;

/// A place inside a document, such as `oauth.scopes[2]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Field(pub Vec<Segment>);

/// A step of a [`Field`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    Key(String),
    Item(usize),
}

impl Field {
    /// The field of an entry.
    pub fn of(keys: &[&str]) -> Self {
        Self(
            keys.iter()
                .map(|key| Segment::Key((*key).to_owned()))
                .collect(),
        )
    }

    /// A key below this one.
    pub fn key(&self, key: &str) -> Self {
        self.below(Segment::Key(key.to_owned()))
    }

    /// An item below this one.
    pub fn item(&self, index: usize) -> Self {
        self.below(Segment::Item(index))
    }

    fn below(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if index == 0 => write!(f, "{}", shown(key))?,
                Segment::Key(key) => write!(f, ".{}", shown(key))?,
                Segment::Item(item) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
}

/// A name out of a file, fit for a log line: no control characters, and not long.
pub(super) fn shown(name: &str) -> String {
    let mut text: String = name
        .chars()
        .take(LONGEST_NAME)
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect();
    if name.chars().nth(LONGEST_NAME).is_some() {
        text.push('…');
    }
    text
}

/// A mistake in one entry: where, and what was expected. Never repeats a value: people paste secrets into the wrong field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub field: Field,
    pub text: String,
}

impl Problem {
    /// A mistake at these keys of an entry.
    pub fn at(keys: &[&str], text: impl Into<String>) -> Self {
        Self {
            field: Field::of(keys),
            text: text.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.0.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.field, self.text)
        }
    }
}

/// Where an entry stands, as messages say it: `team.json: entry 2 (slack)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// The file's name.
    pub file: String,
    /// Its place in the file, from 1.
    pub entry: usize,
    /// Its name, if it has one that can be read.
    pub name: Option<String>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: entry {}", shown(&self.file), self.entry)?;
        match &self.name {
            Some(name) => write!(f, " ({})", shown(name)),
            None => Ok(()),
        }
    }
}

/// Messages, not more than anybody reads.
#[derive(Debug, Default)]
pub(super) struct Messages {
    kept: Vec<String>,
    beyond: usize,
}

impl Messages {
    /// Adds one.
    pub fn push(&mut self, message: impl fmt::Display) {
        if self.kept.len() < MOST_MESSAGES {
            self.kept.push(message.to_string());
        } else {
            self.beyond += 1;
        }
    }

    /// All of them, and how many there are beyond.
    pub fn finish(mut self) -> Vec<String> {
        if self.beyond > 0 {
            self.kept.push(format!("and {} more", self.beyond));
        }
        self.kept
    }
}
