//! The form of an entry: what the JSON Schema says of it, in words.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::problem::{Field, Problem, Segment, shown};
use super::schema;
use super::written::Written;

/// Judges entries. Made for one reading of the catalog and dropped after it.
#[derive(Debug)]
pub(super) struct Form {
    schema: Value,
    validator: Validator,
}

impl Form {
    /// The form of an entry. The error cannot happen: a test builds the same.
    pub fn new() -> Result<Self, String> {
        let schema = schema::entry_schema();
        let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    /// All mistakes of form, by field; and the entry without the fields that have one, so that the rest can be judged, too.
    pub fn read(&self, mut value: Value) -> (Written, Vec<Problem>) {
        let mut problems: Vec<Problem> = self
            .validator
            .iter_errors(&value)
            .flat_map(|error| self.explain(&error))
            .collect();
        problems.sort();
        problems.dedup();
        for problem in problems.iter().rev() {
            remove(&mut value, &problem.field.0);
        }
        let written = serde_json::from_value(value).unwrap_or_else(|_| {
            if problems.is_empty() {
                // The schema let something pass that the type does not take.
                problems.push(Problem {
                    field: Field::default(),
                    text: "expected an entry of the catalog's JSON Schema".to_owned(),
                });
            }
            Written::default()
        });
        (written, problems)
    }

    fn explain(&self, error: &ValidationError<'_>) -> Vec<Problem> {
        let field = field(error.instance_path());
        let node = self.node(error.schema_path());
        let said = node
            .and_then(|node| node.get("errorMessage"))
            .and_then(Value::as_str);
        let or_said = |text: &str| said.unwrap_or(text).to_owned();
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => unexpected
                .iter()
                .map(|name| unknown(&field, name, node))
                .collect(),
            Kind::Required { property } => {
                let property = property.as_str().unwrap_or_default();
                // What is said at the node speaks of this field only where nothing but this field is required.
                let alone = node.is_some_and(|node| node.get("type").is_none());
                let text = if alone {
                    or_said("is missing")
                } else {
                    missing(node, property)
                };
                vec![Problem {
                    field: field.key(property),
                    text,
                }]
            }
            Kind::PropertyNames { error: inner } => {
                let name = inner.instance().as_str().unwrap_or_default().to_owned();
                let node = self
                    .node(inner.schema_path())
                    .and_then(|node| node.get("errorMessage"))
                    .and_then(Value::as_str);
                let text = node.unwrap_or("expected another name").to_owned();
                vec![Problem {
                    field: field.key(&name),
                    text,
                }]
            }
            Kind::Type { kind } => {
                let text = format!(
                    "{}, found {}",
                    or_said(&expected_type(kind)),
                    found(error.instance())
                );
                vec![Problem { field, text }]
            }
            Kind::Enum { options } => {
                let text = format!(
                    "{}{}",
                    or_said("expected one of the known words"),
                    meant_value(error.instance(), options)
                );
                vec![Problem { field, text }]
            }
            _ => vec![Problem {
                field,
                text: or_said("expected another value"),
            }],
        }
    }

    /// The part of the schema whose keyword failed.
    fn node(&self, keyword: &Location) -> Option<&Value> {
        let (node, _) = keyword.as_str().rsplit_once('/')?;
        self.schema.pointer(node)
    }
}

fn missing(node: Option<&Value>, property: &str) -> String {
    let said = node.and_then(|node| {
        node.get("properties")?
            .get(property)?
            .get("errorMessage")?
            .as_str()
    });
    format!("is missing: {}", said.unwrap_or("it is required"))
}

fn field(location: &Location) -> Field {
    let segments = location.segments().map(|segment| match segment {
        LocationSegment::Property(name) => Segment::Key(name.into_owned()),
        LocationSegment::Index(index) => Segment::Item(index),
    });
    Field(segments.collect())
}

fn unknown(parent: &Field, name: &str, node: Option<&Value>) -> Problem {
    let known: Vec<&str> = node
        .and_then(|node| node.get("properties")?.as_object())
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| !name.starts_with('$'))
        .collect();
    let cure = match meant(name, &known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("expected one of {}", known.join(", ")),
    };
    Problem {
        field: parent.key(name),
        text: format!("is not a field here: {cure}"),
    }
}

/// Likeness from which a word is offered, of 1.
const ALIKE: f64 = 0.85;

/// The known word that is most like this one, if any is.
fn meant<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // A long word is no typing error, and comparing costs the product of the lengths.
    let word = shown(word).to_lowercase().replace(['-', ' '], "_");
    let alike = known
        .iter()
        .map(|known| (strsim::jaro_winkler(&word, known), *known));
    alike
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .map(|(_, known)| known)
}

fn meant_value(instance: &Value, options: &Value) -> String {
    let known: Vec<&str> = options
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match instance.as_str() {
        Some(word) => meant(word, &known)
            .map(|known| format!("; did you mean \"{known}\"?"))
            .unwrap_or_default(),
        None => format!(", found {}", found(instance)),
    }
}

fn expected_type(kind: &TypeKind) -> String {
    let name = match kind {
        TypeKind::Single(name) => name.as_str(),
        TypeKind::Multiple(_) => "another type",
    };
    format!("expected {}", if name == "string" { "text" } else { name })
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Takes a field out of an entry. An item takes its whole array along: the others would move.
fn remove(value: &mut Value, field: &[Segment]) {
    match field {
        [Segment::Key(key)] | [Segment::Key(key), Segment::Item(_), ..] => {
            if let Some(object) = value.as_object_mut() {
                object.remove(key);
            }
        }
        [Segment::Key(key), rest @ ..] => {
            if let Some(below) = value.get_mut(key) {
                remove(below, rest);
            }
        }
        _ => *value = Value::Object(serde_json::Map::new()),
    }
}
