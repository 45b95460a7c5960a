//! Rows of the tables: an object that is wrong in one place, and what must be said of it.

use serde_json::{Value, json};

/// An object, or a change of one, that the API server must refuse.
#[derive(Clone)]
pub struct Row {
    /// What is wrong.
    pub wrong: &'static str,
    /// The object, or the merge patch.
    pub json: Value,
    /// What its answer must say.
    pub words: &'static [&'static str],
}

/// A valid UserEngine with one field, by its JSON pointer, set to another value.
pub fn engine(pointer: &str, value: Value) -> Value {
    let mut object = json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "UserEngine",
        "metadata": { "name": "alice" },
        "spec": { "user": "alice@example.com" },
    });
    set(&mut object, pointer, value);
    object
}

/// A valid EngineClass with one field of its spec, by its JSON pointer, set to another value.
pub fn class(pointer: &str, value: Value) -> Value {
    let mut object = json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "EngineClass",
        "metadata": { "name": "standard" },
        "spec": { "image": "registry.example.com/engine:1" },
    });
    set(&mut object, pointer, value);
    object
}

pub fn set(object: &mut Value, pointer: &str, value: Value) {
    let path = pointer.trim_start_matches('/').split('/');
    *path.fold(object, |object, field| &mut object[field]) = value;
}

pub fn without(mut object: Value, parent: &str, field: &str) -> Value {
    if let Some(Value::Object(fields)) = object.pointer_mut(parent) {
        fields.remove(field);
    }
    object
}

/// One row.
pub fn row(wrong: &'static str, json: Value, words: &'static [&'static str]) -> Vec<Row> {
    vec![Row { wrong, json, words }]
}

/// A row for each value that must be refused in the same words.
pub fn each<const N: usize>(
    words: &'static [&'static str],
    object: impl Fn(Value) -> Value,
    wrong: [(&'static str, Value); N],
) -> Vec<Row> {
    wrong
        .into_iter()
        .flat_map(|(wrong, value)| row(wrong, object(value), words))
        .collect()
}
