//! The objects: what the definitions suggest, in every place of a right one.

use anyhow::Context as _;
use serde_json::Value;
use userengine_api::crd;
use userengine_e2e::wrong::{Change, changes, pairs};

/// Pairs of changes of each kind.
const PAIRS: usize = 400;
const SEED: u64 = 1;

/// An object with something wrong with it.
pub struct Wrong {
    pub what: String,
    pub object: Value,
    pub changes: Vec<Change>,
}

impl Wrong {
    fn of(right: &Value, changes: &[Change]) -> Self {
        let what = changes.iter().map(|it| format!("{} {}", it.place, it.what));
        Self {
            what: what.collect::<Vec<_>>().join(" and "),
            object: changed(right, changes),
            changes: changes.to_vec(),
        }
    }

    pub fn is_forbidden(&self) -> bool {
        self.changes.iter().any(|change| change.is_forbidden)
    }

    /// This spec with the fields in which something is wrong, each as a whole: what is wrong lies within them.
    pub fn within(&self, spec: &Value) -> Value {
        let mut spec = spec.clone();
        let Some(wrong) = self.object.get("spec") else {
            return spec;
        };
        for change in &self.changes {
            // What comes after `/spec/`.
            let Some(field) = change.place.split('/').nth(2) else {
                return wrong.clone();
            };
            let Some(fields) = spec.as_object_mut() else {
                return wrong.clone();
            };
            match wrong.get(field) {
                Some(value) => fields.insert(field.to_owned(), value.clone()),
                None => fields.remove(field),
            };
        }
        spec
    }
}

/// This object with these changes.
pub fn changed(right: &Value, changes: &[Change]) -> Value {
    let mut object = right.clone();
    for change in changes {
        change.apply(&mut object);
    }
    object
}

/// All wrong objects of one kind.
pub fn objects(kind: usize, right: &Value) -> anyhow::Result<Vec<Wrong>> {
    let definitions = crd::definitions();
    let (_, definition) = definitions.get(kind).context("no such kind")?;
    let definition = serde_json::to_value(definition)?;
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    let singles = changes(schema.context("no schema")?, &right["spec"], "/spec");
    let alone = singles
        .iter()
        .map(|it| Wrong::of(right, std::slice::from_ref(it)));
    let pairs = pairs(&singles, SEED, PAIRS);
    Ok(alone
        .chain(pairs.iter().map(|pair| Wrong::of(right, pair)))
        .collect())
}
