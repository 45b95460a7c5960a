//! Arguments are held against the tool's `input_schema` before anything is sent.
//!
//! The check is a service to the caller, who gets a path instead of the server's guess; the server checks again. So a
//! check that would cost too much is left out, and never a call refused for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::bounds::{Bounds, bounds};
use crate::assets::AssetError;

/// Steps that are done on the spot: well below a millisecond.
const AT_ONCE: u64 = 20_000;
/// Steps that are done beside, and not waited for longer than [`PATIENCE`]. More are not begun.
const AT_ALL: u64 = 1_000_000_000;
/// Texts against patterns on the spot, in bytes.
const TEXT_AT_ONCE: u64 = 16 * 1024;
const PATIENCE: Duration = Duration::from_millis(500);
/// Deeper arguments are not followed: the check goes as deep into the stack as they do.
const DEEPEST: u64 = 64;
/// Steps of a pattern that goes back and forth, for one text.
const BACKTRACKS: usize = 20_000;
/// Bytes of a compiled pattern.
const PATTERN_SIZE: usize = 1024 * 1024;

/// The schema of a tool's arguments, compiled when it is first needed.
#[derive(Debug)]
pub(super) struct Arguments {
    schema: Value,
    bounds: Bounds,
    validator: OnceLock<Option<Validator>>,
    /// A check took too long once, so none is tried again.
    costly: AtomicBool,
}

impl Arguments {
    /// Takes a schema that can be compiled, or says why it cannot.
    pub(super) fn new(schema: &Value) -> Result<Self, String> {
        let schema = plain(schema);
        let bounds = bounds(&schema)?;
        // Most tools are never called: what is compiled here is not kept.
        compile(&schema)?;
        Ok(Self {
            schema,
            bounds,
            validator: OnceLock::new(),
            costly: AtomicBool::new(false),
        })
    }

    /// Do these arguments fit?
    pub(super) async fn check(self: &Arc<Self>, arguments: &Value) -> Result<(), AssetError> {
        let size = Size::of(arguments);
        match self.effort(&size) {
            Effort::AtOnce => self.check_now(arguments),
            Effort::Beside if !self.costly.load(Ordering::Relaxed) => {
                let (checker, arguments) = (Arc::clone(self), arguments.clone());
                let beside = spawn_blocking(move || checker.check_now(&arguments));
                if let Ok(Ok(outcome)) = timeout(PATIENCE, beside).await {
                    return outcome;
                }
                self.costly.store(true, Ordering::Relaxed);
                tracing::warn!(
                    "arguments of a tool are no longer checked: its schema is too costly"
                );
                Ok(())
            }
            Effort::Beside | Effort::TooMuch => Ok(()),
        }
    }

    fn check_now(&self, arguments: &Value) -> Result<(), AssetError> {
        let validator = self.validator.get_or_init(|| compile(&self.schema).ok());
        let Some(validator) = validator else {
            return Ok(());
        };
        validator
            .validate(arguments)
            .map_err(|error| AssetError::InvalidArguments {
                path: error.instance_path().as_str().to_owned(),
                // Arguments may be long and may be secrets: the message says what is asked for, not what was given.
                problem: error.masked().to_string(),
            })
    }

    fn effort(&self, size: &Size) -> Effort {
        if size.depth > DEEPEST {
            return Effort::TooMuch;
        }
        let rounds = if self.bounds.recursive {
            let depth = u32::try_from(size.depth).unwrap_or(u32::MAX);
            self.bounds.steps.saturating_pow(depth.max(1))
        } else {
            self.bounds.steps
        };
        let steps = rounds.saturating_mul(size.places);
        let text = if self.bounds.patterns { size.text } else { 0 };
        if steps <= AT_ONCE && text <= TEXT_AT_ONCE {
            Effort::AtOnce
        } else if steps <= AT_ALL {
            Effort::Beside
        } else {
            Effort::TooMuch
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Effort {
    AtOnce,
    Beside,
    TooMuch,
}

/// How large arguments are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Size {
    places: u64,
    depth: u64,
    text: u64,
}

impl Size {
    fn of(value: &Value) -> Self {
        let mut size = Self::default();
        size.add(value, 1);
        size
    }

    fn add(&mut self, value: &Value, depth: u64) {
        self.places += 1;
        self.depth = self.depth.max(depth);
        match value {
            Value::String(text) => self.text += text.len() as u64,
            Value::Array(values) => values.iter().for_each(|value| self.add(value, depth + 1)),
            Value::Object(map) => {
                for (key, value) in map {
                    self.text += key.len() as u64;
                    self.add(value, depth + 1);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Without the names that a schema gives itself: they serve references from elsewhere, of which there are none. A dialect
/// that the engine does not know is read as the protocol's own.
fn plain(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(map) = &mut schema {
        map.remove("$id");
        let known = |dialect: &Value| {
            let Value::String(dialect) = dialect else {
                return false;
            };
            let dialect = dialect
                .trim_end_matches('#')
                .trim_start_matches("https")
                .trim_start_matches("http");
            [
                "://json-schema.org/draft/2020-12/schema",
                "://json-schema.org/draft/2019-09/schema",
                "://json-schema.org/draft-07/schema",
                "://json-schema.org/draft-06/schema",
            ]
            .contains(&dialect)
        };
        if !map.get("$schema").is_some_and(known) {
            map.remove("$schema");
        }
    }
    schema
}

fn compile(schema: &Value) -> Result<Validator, String> {
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(BACKTRACKS)
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE);
    let mut options = jsonschema::options()
        .with_pattern_options(patterns)
        .offline();
    if schema.get("$schema").is_none() {
        options = options.with_draft(Draft::Draft202012);
    }
    options.build(schema).map_err(|error| {
        let mut why = error.masked().to_string();
        why.truncate(why.floor_char_boundary(200));
        format!("its schema is none at {}: {why}", error.instance_path())
    })
}

#[cfg(test)]
mod tests;
