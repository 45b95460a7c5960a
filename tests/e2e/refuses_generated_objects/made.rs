//! What was accepted is made: each gets a reason, and goes again.

use std::collections::BTreeMap;

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams};
use serde_json::{Value, json};
use userengine_api::UserEngine;
use userengine_api::status::UserEngineStatus;
use userengine_e2e::{ENGINE_IMAGE, Engine, Namespace, condition, eventually};

use super::objects::{Wrong, changed};
use crate::refuses_invalid_objects::largest_class;

/// Most of the accepted ones that are there at the same time.
const AT_ONCE: usize = 40;

/// How many engines got which reason.
pub type Reasons = BTreeMap<String, usize>;

/// Makes these engines; all of them are gone in the end.
pub async fn reasons(
    namespace: &Namespace,
    door: &Api<DynamicObject>,
    accepted: &[Wrong],
) -> anyhow::Result<Reasons> {
    let mut reasons = Reasons::new();
    for some in accepted.chunks(AT_ONCE) {
        let some = some.iter().enumerate().map(|(number, wrong)| {
            let mut object = wrong.object.clone();
            rename(&mut object, &format!("wrong-{number}"));
            object
        });
        come_and_go(namespace, door, some, &mut reasons).await?;
    }
    Ok(reasons)
}

/// Makes these classes, as wrong as they were but with nothing else in an engine's way, and for each an engine that follows it;
/// all of them are gone in the end.
pub async fn followed(
    namespace: &Namespace,
    door: &Api<DynamicObject>,
    classes: &Api<DynamicObject>,
    accepted: &[Wrong],
) -> anyhow::Result<Reasons> {
    let mut reasons = Reasons::new();
    for some in accepted.chunks(AT_ONCE) {
        let mut engines = Vec::new();
        for (number, wrong) in some.iter().enumerate() {
            let name = format!("{}-{number}", namespace.name);
            let mut class = changed(&workable_class(), &wrong.changes);
            rename(&mut class, &name);
            make(classes, class)
                .await
                .with_context(|| format!("a class that was accepted before: {}", wrong.what))?;
            // Everything is made but the pod, which says what it thinks of a class in other tests.
            engines.push(json!({
                "apiVersion": "userengine.dev/v1alpha1",
                "kind": "UserEngine",
                "metadata": { "name": format!("follows-{number}") },
                "spec": { "user": "user", "className": name, "suspended": true },
            }));
        }
        come_and_go(namespace, door, engines, &mut reasons).await?;
        for number in 0..some.len() {
            let name = format!("{}-{number}", namespace.name);
            classes.delete(&name, &DeleteParams::default()).await?;
        }
    }
    Ok(reasons)
}

/// The largest class without what no cluster has.
fn workable_class() -> Value {
    let mut class = largest_class();
    if let Some(spec) = class.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("catalog");
        spec.remove("tls");
        spec.insert("image".to_owned(), json!(ENGINE_IMAGE));
        spec.insert(
            "storage".to_owned(),
            json!({ "size": "64Mi", "maxSize": "10Gi" }),
        );
    }
    class
}

fn rename(object: &mut Value, name: &str) {
    if let Some(metadata) = object.get_mut("metadata") {
        *metadata = json!({ "name": name });
    }
}

/// Makes it as it is: what stands for a value that is not there is left to the API server.
async fn make(door: &Api<DynamicObject>, object: Value) -> anyhow::Result<String> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let made = door.create(&PostParams::default(), &object).await?;
    Ok(made.name_any())
}

/// Makes engines, waits until each has a reason, and for all of them to be gone again.
async fn come_and_go(
    namespace: &Namespace,
    door: &Api<DynamicObject>,
    engines: impl IntoIterator<Item = Value>,
    reasons: &mut Reasons,
) -> anyhow::Result<()> {
    let mut made = Vec::new();
    for engine in engines {
        made.push(Engine {
            name: make(door, engine).await?,
            namespace: namespace.clone(),
        });
    }
    for engine in &made {
        let what = format!("a reason for {}", engine.name);
        let reason = eventually(&what, 60, || reason(engine)).await?;
        *reasons.entry(reason).or_default() += 1;
    }
    let all: Api<UserEngine> = namespace.api();
    for engine in &made {
        all.delete(&engine.name, &DeleteParams::default()).await?;
    }
    eventually("all of them to be gone", 60, || async {
        let left = all.list(&ListParams::default()).await?;
        Ok((left.items.len() == 1).then_some(()))
    })
    .await
}

/// What an operator says of it: the reason of `Ready`. What the definition says before anybody does is none. An engine that is coming
/// up need not be told of for a minute: that its pod is asked for says as much.
async fn reason(engine: &Engine) -> anyhow::Result<Option<String>> {
    let found = engine.get().await?;
    if found.status.as_ref().is_some_and(UserEngineStatus::is_told) {
        let ready = condition(&found, "Ready").filter(|ready| ready.reason != "Pending");
        return Ok(ready.map(|ready| ready.reason));
    }
    let sets: Api<StatefulSet> = engine.namespace.api();
    let set = sets.get_opt(&engine.name).await?;
    let set = set.filter(|_| !found.spec.suspended);
    Ok(set.map(|_| "its pod is asked for".to_owned()))
}
