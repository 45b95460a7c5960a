//! The children as they should be. Pure: nothing in here can fail or wait.

mod catalog;
mod claim;
mod environment;
mod job;
mod network_policy;
mod pod;
mod secrets;
mod service;
mod service_account;
mod settings;
mod stateful_set;
mod volumes;

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use userengine_api::engine_class::EngineClassSpec;
use userengine_api::layout::config_map;
use userengine_api::names::Names;
use userengine_api::{UserEngineSpec, labels};

pub use catalog::{annotate, nudge};
pub use claim::{claim, claim_amendment, claim_growth, claim_told};
pub use job::{MIGRATE, VERIFY, job_name, proof_name};
pub use secrets::{api_key_change, api_key_secret, key_secret};
pub use stateful_set::{CONTAINER, suspended};
pub use volumes::ring_of;

use super::assess::{Handed, ResolvedClass, has_a_pod_to_keep, stops_the_engine};
use super::child::{Child, ChildId, ChildKind};
use super::observed::Observed;
use crate::cluster::drift;
use crate::record::Record;

/// What every builder reads.
struct Blueprint<'a> {
    name: &'a str,
    namespace: &'a str,
    uid: &'a str,
    operator_namespace: &'a str,
    stopped_for: Option<&'static str>,
    last_node: Option<&'a str>,
    bounds: Option<&'a str>,
    class: &'a EngineClassSpec,
    engine: &'a UserEngineSpec,
    handed: &'a Handed,
    record: &'a Record,
    live: &'a BTreeMap<ChildId, DynamicObject>,
}

impl Blueprint<'_> {
    fn names(&self) -> Names<'_> {
        Names(self.name)
    }

    /// The address under which the outside reaches the engine.
    fn public_url(&self) -> Option<String> {
        public_url(self.class, self.name, self.namespace)
    }

    /// There is such a child already.
    fn has(&self, kind: ChildKind, name: &str) -> bool {
        self.live(kind, name).is_some()
    }

    fn live(&self, kind: ChildKind, name: &str) -> Option<&DynamicObject> {
        self.live.get(&ChildId {
            kind,
            name: name.to_owned(),
        })
    }

    /// The certificate authorities that the class adds; those that the engine has, if it is not known what to add.
    fn ca(&self) -> Option<String> {
        self.handed.ca.clone().unwrap_or_else(|| {
            let live = self.live(ChildKind::ConfigMap, &self.names().main())?;
            let ca = live.data.get("data")?.get(config_map::CA)?;
            Some(ca.as_str()?.to_owned())
        })
    }

    fn child(&self, kind: ChildKind, name: String, api_version: &str, body: Value) -> Child {
        let metadata = json!({
            "name": name,
            "namespace": self.namespace,
            "labels": common_labels(self.name),
            "ownerReferences": [owner(self.name, self.uid)],
        });
        let mut object =
            json!({ "apiVersion": api_version, "kind": kind.as_str(), "metadata": metadata });
        if let (Value::Object(object), Value::Object(body)) = (&mut object, body) {
            object.extend(body);
        }
        drift::stamp(&mut object);
        Child {
            id: ChildId { kind, name },
            object,
        }
    }
}

impl<'a> Blueprint<'a> {
    fn new(observed: &'a Observed, record: &'a Record, class: &'a ResolvedClass) -> Self {
        let engine = &observed.engine;
        let metadata = &engine.metadata;
        Self {
            name: metadata.name.as_deref().unwrap_or_default(),
            namespace: metadata.namespace.as_deref().unwrap_or_default(),
            uid: metadata.uid.as_deref().unwrap_or_default(),
            operator_namespace: &observed.operator_namespace,
            stopped_for: stopped_for(observed, record, class),
            last_node: engine.status.as_ref().and_then(|it| it.node.as_deref()),
            bounds: observed.bounds.as_deref(),
            class: &class.spec,
            engine: &engine.spec,
            handed: &class.handed,
            record,
            live: &observed.children,
        }
    }
}

/// Why the engine is to have no pod, if it is not to have one. A rotation brings back what it has stopped, with the pod that it had:
/// one that slept when it came sleeps on if it may not be started as it is, even if its user resumes it meanwhile.
fn stopped_for(
    observed: &Observed,
    record: &Record,
    class: &ResolvedClass,
) -> Option<&'static str> {
    let asked = observed.engine.spec.suspended;
    if !stops_the_engine(record) {
        return asked.then_some(labels::FOR_SPEC);
    }
    let slept = observed
        .stateful_set()
        .and_then(|live| live.annotations().get(labels::STOPPED_FOR))
        .is_some_and(|why| why == labels::FOR_SPEC);
    if slept && (asked || class.keeps_pod) {
        Some(labels::FOR_SPEC)
    } else {
        Some(labels::FOR_ROTATION)
    }
}

/// Every child whose content follows from the class, the record and the spec, in the order in which they are applied.
pub fn children(observed: &Observed, record: &Record, class: &ResolvedClass) -> Vec<Child> {
    let blueprint = Blueprint::new(observed, record, class);
    let is_open = record.ledger.open.is_some();
    let pod = if class.keeps_pod {
        turned(observed, record, &blueprint)
    } else {
        Some(stateful_set::build(&blueprint))
    };
    let all = [
        Some(network_policy::build(&blueprint)),
        is_open.then(|| network_policy::rotation(&blueprint)),
        Some(service_account::build(&blueprint)),
        Some(settings::build(&blueprint)),
        catalog::build(&blueprint),
        Some(service::headless(&blueprint)),
        Some(service::cluster_ip(&blueprint)),
        pod,
    ];
    all.into_iter().flatten().collect()
}

/// The children that a rotation changes, with the settings that the engine has: its walls while one is open, and the
/// engine's replicas and ring.
pub fn of_rotation(observed: &Observed, record: &Record, kept: &ResolvedClass) -> Vec<Child> {
    let blueprint = Blueprint::new(observed, record, kept);
    let is_open = record.ledger.open.is_some();
    let walls = is_open.then(|| network_policy::rotation(&blueprint));
    let set = observed
        .stateful_set()
        .and_then(|live| stateful_set::turned(&blueprint, live));
    walls.into_iter().chain(set).collect()
}

/// The StatefulSet as the class and the engine's own wishes have it.
pub fn stateful_set(observed: &Observed, record: &Record, class: &ResolvedClass) -> Child {
    stateful_set::build(&Blueprint::new(observed, record, class))
}

/// The StatefulSet that is there, if it is not so: its pod stays as it is made, and none is started that was stopped.
fn turned(observed: &Observed, record: &Record, blueprint: &Blueprint<'_>) -> Option<Child> {
    let live = observed
        .stateful_set()
        .filter(|_| has_a_pod_to_keep(observed, Some(record)))?;
    stateful_set::turned(blueprint, live)
}

/// The Job of the attempt that the open rotation is at.
pub fn job(observed: &Observed, record: &Record, class: &ResolvedClass) -> Option<Value> {
    job::build(&Blueprint::new(observed, record, class))
}

/// The Job that proves, while the engine sleeps, that one key opens everything.
pub fn proof(observed: &Observed, record: &Record, class: &ResolvedClass) -> Option<Value> {
    job::proof(&Blueprint::new(observed, record, class))
}

/// The class's template, filled in.
pub fn public_url(class: &EngineClassSpec, name: &str, namespace: &str) -> Option<String> {
    Some(
        class
            .public_url
            .as_ref()?
            .replace("{name}", name)
            .replace("{namespace}", namespace),
    )
}

/// The labels of every child.
fn common_labels(name: &str) -> Value {
    json!({
        labels::ENGINE: name,
        labels::NAME: labels::NAME_VALUE,
        labels::INSTANCE: name,
        labels::MANAGED_BY: labels::MANAGER,
    })
}

/// The labels that find the engine's pod.
fn pod_selector(name: &str) -> Value {
    json!({ labels::ENGINE: name, labels::COMPONENT: "engine" })
}

/// The reference that makes the garbage collector take a child away with its engine
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/>).
fn owner(name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "UserEngine",
        "name": name,
        "uid": uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

#[cfg(test)]
mod tests;
