//! The claim of the brain's volume. Durable: no owner reference, never pruned, the record of the brain.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use serde_json::{Map, Value, json};
use userengine_api::labels;
use userengine_api::names::engine_of_claim;
use userengine_api::quantity::Quantity;

use super::common_labels;
use crate::cluster::has_finalizer;
use crate::record::Record;
use crate::user_engine::assess::ResolvedClass;
use crate::user_engine::observed::Observed;

/// The claim at birth.
pub fn claim(observed: &Observed, record: &Record, class: &ResolvedClass, size: Quantity) -> Value {
    let storage = &class.spec.storage;
    let mut spec = json!({
        "accessModes": [storage.access_mode.as_str()],
        "resources": { "requests": { "storage": size.to_string() } },
    });
    if let (Some(name), Value::Object(spec)) = (&storage.storage_class_name, &mut spec) {
        spec.insert("storageClassName".to_owned(), json!(name));
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": observed.names().claim(),
            "namespace": observed.engine.namespace(),
            "labels": common_labels(&observed.name()),
            "annotations": given(record),
            "finalizers": [labels::CLAIM_FINALIZER],
        },
        "spec": spec,
    })
}

/// The annotations of a record that have a value.
fn given(record: &Record) -> Value {
    let all = record.annotations().into_iter();
    let given = all.filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    Value::Object(given.collect())
}

/// What the claim lacks, or has too much, as a merge patch that fails if somebody changed it in between; `None` if nothing.
pub fn claim_amendment(claim: &PersistentVolumeClaim, should: &Record) -> Option<Value> {
    let mut metadata = Map::new();
    let lacking: Map<_, _> = should
        .annotations()
        .into_iter()
        .filter(|(name, value)| claim.annotations().get(*name) != value.as_ref())
        // One that is not initialised takes back nothing.
        .filter(|(name, value)| *name != labels::INITIALISED || value.is_some())
        .map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, Value::String)))
        .collect();
    // That it is initialised goes with other words: alone it is written only where the claim denies it.
    let is_silent = !claim.annotations().contains_key(labels::INITIALISED);
    let goes_along = |name: &String| is_silent && name == labels::INITIALISED;
    if !lacking.keys().all(goes_along) {
        metadata.insert("annotations".to_owned(), Value::Object(lacking));
    }
    if !has_finalizer(claim, labels::CLAIM_FINALIZER) {
        let all: Vec<_> = claim
            .finalizers()
            .iter()
            .map(String::as_str)
            .chain([labels::CLAIM_FINALIZER])
            .collect();
        metadata.insert("finalizers".to_owned(), json!(all));
    }
    let missing_labels: Map<_, _> =
        match common_labels(engine_of_claim(&claim.name_any()).unwrap_or_default()) {
            Value::Object(all) => all,
            _ => Map::new(),
        }
        .into_iter()
        .filter(|(name, value)| claim.labels().get(name).map(String::as_str) != value.as_str())
        .collect();
    if !missing_labels.is_empty() {
        metadata.insert("labels".to_owned(), Value::Object(missing_labels));
    }
    if metadata.is_empty() {
        return None;
    }
    metadata.insert(
        "resourceVersion".to_owned(),
        json!(claim.resource_version()),
    );
    Some(json!({ "metadata": metadata }))
}

/// The merge patch that says of a claim whether its engine came to have a brain.
pub fn claim_told(claim: &PersistentVolumeClaim, initialised: bool) -> Value {
    json!({ "metadata": {
        "annotations": { (labels::INITIALISED): initialised.to_string() },
        "resourceVersion": claim.resource_version(),
    } })
}

/// The merge patch that makes a volume larger.
pub fn claim_growth(claim: &PersistentVolumeClaim, size: Quantity) -> Value {
    json!({
        "metadata": { "resourceVersion": claim.resource_version() },
        "spec": { "resources": { "requests": { "storage": size.to_string() } } },
    })
}
