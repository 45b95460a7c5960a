//! The settings that an engine has, read back from its StatefulSet: on these a rotation goes on whose class is gone, or
//! allows less than the engine asks for.

use kube::api::DynamicObject;
use serde_json::{Value, json};
use userengine_api::layout::env;

use super::{Handed, ResolvedClass, has_in_hand};
use crate::record::Record;
use crate::user_engine::build::CONTAINER;
use crate::user_engine::observed::Observed;

/// Fields of the pod that are named as in the class.
const SCHEDULING: [&str; 4] = [
    "runtimeClassName",
    "priorityClassName",
    "nodeSelector",
    "tolerations",
];

/// As much of the class as a Job needs; what else a class says is the default, and is not to be applied to anything.
/// `None` if there is no StatefulSet of this engine.
pub fn settings(observed: &Observed, record: &Record) -> Option<ResolvedClass> {
    let live = observed.stateful_set()?;
    let pod = live.data.pointer("/spec/template/spec")?;
    let container = container(pod)?;
    let secrets = pod.get("imagePullSecrets").and_then(Value::as_array);
    let secrets = secrets.into_iter().flatten();
    let mut spec = json!({
        "image": container.get("image")?,
        "imagePullPolicy": container.get("imagePullPolicy")?,
        "imagePullSecrets": secrets.filter_map(|it| it.get("name")).collect::<Vec<_>>(),
        "resources": container.get("resources")?,
        "terminationGracePeriodSeconds": pod.get("terminationGracePeriodSeconds")?,
        "logLevel": variable(container, env::ENGINE_LOG_LEVEL)?,
    });
    for field in SCHEDULING {
        if let (Some(value), Value::Object(spec)) = (pod.get(field), &mut spec) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
    Some(ResolvedClass {
        name: record.class.clone(),
        spec: serde_json::from_value(spec).ok()?,
        handed: Handed::default(),
        keeps_pod: true,
    })
}

/// The image of the pod that a StatefulSet makes.
pub fn image(live: &DynamicObject) -> Option<&str> {
    let pod = live.data.pointer("/spec/template/spec")?;
    container(pod)?.get("image")?.as_str()
}

fn container(pod: &Value) -> Option<&Value> {
    let mut all = pod.get("containers")?.as_array()?.iter();
    all.find(|it| it.get("name") == Some(&json!(CONTAINER)))
}

/// The engine runs, or is to go on sleeping, or comes back from a rotation: in any case with the pod that it had.
pub fn has_a_pod_to_keep(observed: &Observed, record: Option<&Record>) -> bool {
    let Some(live) = observed.stateful_set() else {
        return false;
    };
    let replicas = live.data.pointer("/spec/replicas").and_then(Value::as_i64);
    observed.engine.spec.suspended
        || replicas != Some(0)
        || record.is_some_and(|record| has_in_hand(observed, record))
}

fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a Value> {
    let mut all = container.get("env")?.as_array()?.iter();
    let found = all.find(|it| it.get("name") == Some(&json!(name)))?;
    found.get("value")
}
