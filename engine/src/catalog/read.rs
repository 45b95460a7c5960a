//! One reading of the catalog: from a folder to entries and messages.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::entry::Entry;
use super::form::Form;
use super::meaning::understand;
use super::problem::{Field, Location, Messages, Problem, Segment};
use super::surroundings::Surroundings;
use super::{MOST_ENTRIES, folder, json};
use crate::domain::ServerName;
use crate::stamps::Look;

/// What a reading gave.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The entries that have no mistake.
    pub entries: BTreeMap<ServerName, Entry>,
    /// What is wrong with the others, and with whole files.
    pub problems: Vec<String>,
    /// What the files of the secrets looked like just before they were read.
    pub secrets: Vec<Look>,
}

/// Reads a folder.
pub(super) fn read(folder: &Path, around: &Surroundings) -> Reading {
    let mut reader = Reader {
        around,
        form: None,
        messages: Messages::default(),
        seen: BTreeMap::new(),
        reading: Reading::default(),
        entries: 0,
    };
    match folder::list(folder) {
        Ok(files) => files.iter().for_each(|file| reader.file(file)),
        Err(problem) => reader.messages.push(problem),
    }
    reader.finish()
}

struct Reader<'a> {
    around: &'a Surroundings,
    /// Made when the first entry is met: an empty catalog costs nothing.
    form: Option<Form>,
    messages: Messages,
    /// Where each name stood first.
    seen: BTreeMap<String, Location>,
    reading: Reading,
    entries: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path) {
        let file = folder::name(path);
        let text = match folder::read(path) {
            Ok(text) => text,
            Err(problem) => return self.messages.push(format_args!("{file}: {problem}")),
        };
        let document = match json::parse(&text) {
            Ok(document) => document,
            Err(error) => {
                return self
                    .messages
                    .push(format_args!("{file}: expected JSON: {error}"));
            }
        };
        let (entries, prefix) = match split(document.value) {
            Ok(split) => split,
            Err(problem) => return self.messages.push(format_args!("{file}: {problem}")),
        };
        let (inside, outside): (Vec<_>, Vec<_>) = document
            .twice
            .into_iter()
            .map(|field| within(&field, prefix))
            .partition(|(entry, _)| entry.is_some());
        for (_, field) in outside {
            self.messages.push(format_args!("{file}: {field}: {TWICE}"));
        }
        for (index, value) in entries.into_iter().enumerate() {
            let twice = inside.iter().filter(|(entry, _)| *entry == Some(index));
            let problems = twice
                .map(|(_, field)| Problem {
                    field: field.clone(),
                    text: TWICE.to_owned(),
                })
                .collect();
            self.entry(&file, index, value, problems);
        }
    }

    fn entry(&mut self, file: &str, index: usize, value: Value, mut problems: Vec<Problem>) {
        self.entries += 1;
        if self.entries > MOST_ENTRIES {
            if self.entries == MOST_ENTRIES + 1 {
                self.messages.push(format_args!(
                    "{file}: expected at most {MOST_ENTRIES} servers in all files together"
                ));
            }
            return;
        }
        let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
        let location = Location {
            file: file.to_owned(),
            entry: index + 1,
            name,
        };
        problems.extend(self.duplicate(&location));
        let (written, of_form) = match self.form() {
            Ok(form) => form.read(value),
            Err(error) => return self.messages.push(error),
        };
        problems.extend(of_form);
        match understand(written, problems, self.around) {
            Ok(understood) => {
                self.reading.secrets.extend(understood.secret);
                self.reading
                    .entries
                    .insert(understood.entry.name.clone(), understood.entry);
            }
            Err(problems) => problems
                .iter()
                .for_each(|problem| self.messages.push(format_args!("{location}: {problem}"))),
        }
    }

    /// Which of two entries is meant nobody knows: both are wrong.
    fn duplicate(&mut self, location: &Location) -> Option<Problem> {
        let name = location.name.clone()?;
        let Some(first) = self.seen.get(&name) else {
            self.seen.insert(name, location.clone());
            return None;
        };
        if let Ok(name) = ServerName::try_from(name) {
            self.reading.entries.remove(&name);
        }
        let text = format!(
            "expected a name of its own, but {}, entry {}, has it, too",
            first.file, first.entry
        );
        Some(Problem::at(&["name"], text))
    }

    fn form(&mut self) -> Result<&Form, String> {
        match &mut self.form {
            Some(form) => Ok(form),
            empty => Ok(empty.insert(Form::new()?)),
        }
    }

    fn finish(self) -> Reading {
        Reading {
            problems: self.messages.finish(),
            ..self.reading
        }
    }
}

const TWICE: &str = "stands twice: keep one";

/// The entries of a file, and what stands before an entry's index.
fn split(value: Value) -> Result<(Vec<Value>, Prefix), String> {
    match value {
        Value::Array(entries) => Ok((entries, Prefix::Array)),
        Value::Object(mut object) if object.contains_key("servers") => {
            let servers = object.remove("servers");
            if let Some(other) = object.keys().find(|key| *key != "$schema") {
                return Err(format!(
                    "{}: is not a field beside `servers`: remove it",
                    Field::of(&[other])
                ));
            }
            match servers {
                Some(Value::Array(entries)) => Ok((entries, Prefix::Servers)),
                _ => Err("servers: expected an array of entries".to_owned()),
            }
        }
        Value::Object(object) => Ok((vec![Value::Object(object)], Prefix::Single)),
        _ => Err("expected an entry, an array of entries, or {\"servers\": [entries]}".to_owned()),
    }
}

#[derive(Debug, Clone, Copy)]
enum Prefix {
    Single,
    Array,
    Servers,
}

/// The entry that a field of the document belongs to, and the field in it.
fn within(field: &Field, prefix: Prefix) -> (Option<usize>, Field) {
    match (prefix, field.0.as_slice()) {
        (Prefix::Single, _) => (Some(0), field.clone()),
        (Prefix::Array, [Segment::Item(entry), rest @ ..])
        | (Prefix::Servers, [_, Segment::Item(entry), rest @ ..]) => {
            (Some(*entry), Field(rest.to_vec()))
        }
        _ => (None, field.clone()),
    }
}
