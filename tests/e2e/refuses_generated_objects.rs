//! What no schema and no person thought of is refused at the door, or the operator says what it makes of it. Nothing of it
//! gets stuck, an engine that runs beside it does not notice, and one that runs and is changed so serves on or says why not.
//!
//! The objects are made from the definitions: every place of the largest valid objects, every change of `userengine_e2e::wrong`,
//! and pairs of them. `INVALID_SPECS=all` tries all; without it every seventh.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use serde_json::{Value, json};
use userengine_api::status::{Phase, UserEngineStatus};
use userengine_api::{EngineClass, UserEngine, crd};
use userengine_e2e::wrong::{Change, changes, pairs};
use userengine_e2e::{
    ENGINE_IMAGE, Engine, Namespace, condition, eventually, in_namespace, inside, is_ready,
};

use crate::refuses_invalid_objects::{largest_class, largest_engine};

/// Pairs of changes of each kind.
const PAIRS: usize = 400;
const SEED: u64 = 1;
/// Requests at once.
const WIDTH: usize = 8;
/// Most of the accepted ones that are there at the same time.
const AT_ONCE: usize = 40;
/// Most of the accepted ones that a running engine is changed like, unless all are tried.
const OF_RUNNING: usize = 20;
/// What a pod is made of, or stopped for: only a change of these may cost a running engine its pod.
const PARTS: [&str; 6] = [
    "image",
    "resources",
    "env",
    "envFrom",
    "suspended",
    "encryption",
];

#[tokio::test]
async fn what_is_not_refused_at_the_door_gets_a_reason_and_nothing_else_notices()
-> anyhow::Result<()> {
    in_namespace("generated", |namespace| async move {
        let bystander = Engine::ready(&namespace, "bystander", "bystander").await?;
        let before = trace(&bystander).await?;
        let step = if is_whole() { 1 } else { 7 };
        let engines = objects(0, &largest_engine())?;
        let of_engines = ApiResource::erase::<UserEngine>(&());
        let door: Api<DynamicObject> =
            Api::namespaced_with(namespace.client.clone(), &namespace.name, &of_engines);
        let mut verdict = knock(&door, engines.into_iter().step_by(step)).await;
        let classes = objects(1, &largest_class())?;
        let of_classes = ApiResource::erase::<EngineClass>(&());
        let classes_door = Api::all_with(namespace.client.clone(), &of_classes);
        let of_classes = knock(&classes_door, classes.into_iter().step_by(step)).await;
        verdict.tried += of_classes.tried;
        verdict.wrong.extend(of_classes.wrong);
        ensure!(verdict.wrong.is_empty(), "{}", verdict.wrong.join("\n"));
        let (engines, classes) = (verdict.accepted.len(), of_classes.accepted.len());
        let made = reasons(&namespace, &door, &verdict.accepted).await?;
        let followed = followed(&namespace, &door, &classes_door, &of_classes.accepted).await?;
        let running = changed_while_it_runs(&namespace, &door, &verdict.accepted).await?;
        println!(
            "{} objects, {engines} engines and {classes} classes accepted; reasons of these engines: {made:?}; of engines of these classes: {followed:?}; a running engine that is changed like these engines: {running:?}",
            verdict.tried,
        );
        ensure!(trace(&bystander).await? == before, "the engine beside them was touched");
        Ok(())
    })
    .await
}

#[expect(
    clippy::disallowed_methods,
    reason = "how much of the campaign to run is the script's to say"
)]
fn is_whole() -> bool {
    std::env::var("INVALID_SPECS").is_ok_and(|specs| specs == "all")
}

/// An object with something wrong with it.
struct Wrong {
    what: String,
    object: Value,
    changes: Vec<Change>,
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

    fn is_forbidden(&self) -> bool {
        self.changes.iter().any(|change| change.is_forbidden)
    }

    /// This spec with the fields in which something is wrong, each as a whole: what is wrong lies within them.
    fn within(&self, spec: &Value) -> Value {
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

fn changed(right: &Value, changes: &[Change]) -> Value {
    let mut object = right.clone();
    for change in changes {
        change.apply(&mut object);
    }
    object
}

/// All wrong objects of one kind.
fn objects(kind: usize, right: &Value) -> anyhow::Result<Vec<Wrong>> {
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

/// What came of knocking.
#[derive(Default)]
struct Verdict {
    tried: usize,
    accepted: Vec<Wrong>,
    wrong: Vec<String>,
}

/// Shows the objects to the API server, which makes none of them.
async fn knock(door: &Api<DynamicObject>, all: impl Iterator<Item = Wrong>) -> Verdict {
    let answers = stream::iter(all).map(|wrong| async {
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let object = serde_json::from_value(wrong.object.clone());
        let answer = match object {
            Ok(object) => door.create(&dry, &object).await,
            Err(error) => Err(kube::Error::SerdeError(error)),
        };
        (wrong, answer)
    });
    let mut verdict = Verdict::default();
    let mut answers = answers.buffer_unordered(WIDTH);
    while let Some((wrong, answer)) = answers.next().await {
        verdict.tried += 1;
        match answer {
            Ok(_) if wrong.is_forbidden() => {
                verdict.wrong.push(format!("accepted: {}", wrong.what));
            }
            Ok(_) => verdict.accepted.push(wrong),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => {}
            Err(error) => verdict.wrong.push(format!("{}: {error}", wrong.what)),
        }
    }
    verdict
}

/// How many engines got which reason.
type Reasons = BTreeMap<String, usize>;

/// Makes these engines; all of them are gone in the end.
async fn reasons(
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
async fn followed(
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

/// Changes a running engine like each of these, and takes that back each time; in the end it has the brain that it had. Gives how often
/// it came to what.
async fn changed_while_it_runs(
    namespace: &Namespace,
    door: &Api<DynamicObject>,
    accepted: &[Wrong],
) -> anyhow::Result<Reasons> {
    let engine = Engine::ready(namespace, "running", "running").await?;
    let brain = brain(&engine).await?;
    let right = spec_of(&door.get(&engine.name).await?)?;
    let most = if is_whole() { usize::MAX } else { OF_RUNNING };
    let mut outcomes = Reasons::new();
    for wrong in accepted.iter().take(most) {
        let outcome = there_and_back(&engine, door, &right, wrong).await;
        let outcome = outcome.with_context(|| format!("a running engine with {}", wrong.what))?;
        *outcomes.entry(outcome).or_default() += 1;
    }
    ensure!(self::brain(&engine).await? == brain, "it has another brain");
    Ok(outcomes)
}

/// The id of the brain that an engine says it has.
async fn brain(engine: &Engine) -> anyhow::Result<String> {
    let said = inside(engine).await?;
    let id = said.get("database_id").and_then(Value::as_str);
    Ok(id.context("the brain has no id")?.to_owned())
}

fn spec_of(object: &DynamicObject) -> anyhow::Result<Value> {
    object.data.get("spec").cloned().context("no spec")
}

/// One change, what became of the engine, and the way back.
async fn there_and_back(
    engine: &Engine,
    door: &Api<DynamicObject>,
    right: &Value,
    wrong: &Wrong,
) -> anyhow::Result<String> {
    let before = engine.pod().await?.and_then(|pod| pod.uid());
    let before = before.context("no pod")?;
    let Some(spec) = put(door, &engine.name, &wrong.within(right)).await? else {
        return Ok("refused".to_owned());
    };
    let keeps_pod = PARTS.iter().all(|part| spec.get(part) == right.get(part));
    let outcome = eventually("what became of it", 60, || {
        outcome(engine, &before, keeps_pod)
    })
    .await?;
    let back = put(door, &engine.name, right).await?;
    ensure!(back.is_some(), "the change cannot be taken back");
    engine.wait_phase(Phase::Ready).await?;
    let after = engine.pod().await?.and_then(|pod| pod.uid());
    ensure!(
        !keeps_pod || after == Some(before),
        "it lost its pod on the way back"
    );
    Ok(outcome)
}

/// Puts this in the place of an engine's spec, and gives what the API server made of it; `None` if it refuses.
async fn put(door: &Api<DynamicObject>, name: &str, spec: &Value) -> anyhow::Result<Option<Value>> {
    // The operator may write in between, which is a conflict.
    eventually(&format!("{name} to be changed"), 30, || async {
        let mut object = door.get(name).await?;
        let fields = object.data.as_object_mut().context("no fields")?;
        fields.insert("spec".to_owned(), spec.clone());
        match door.replace(name, &PostParams::default(), &object).await {
            Ok(changed) => Ok(Some(Some(spec_of(&changed)?))),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => Ok(Some(None)),
            Err(error) => Err(error.into()),
        }
    })
    .await
}

/// What became of a running engine that was changed, once the operator has looked at the change.
async fn outcome(engine: &Engine, former: &str, keeps_pod: bool) -> anyhow::Result<Option<String>> {
    let now = engine.get().await?;
    let pod = engine.pod().await?.filter(is_ready);
    let pod = pod.and_then(|pod| pod.uid());
    let is_same = pod.as_deref() == Some(former);
    ensure!(is_same || !keeps_pod, "it lost its pod");
    let looked_at = now.status.as_ref().and_then(|it| it.observed_generation);
    if looked_at != now.metadata.generation {
        return Ok(None);
    }
    let ready = condition(&now, "Ready").context("no condition Ready")?;
    Ok(match pod {
        _ if ready.status != "True" => Some(ready.reason),
        Some(_) if is_same => Some("serves on".to_owned()),
        Some(_) => Some("serves in another pod".to_owned()),
        None => None,
    })
}

/// What changes when anybody touches an engine: its object, or its pod.
async fn trace(engine: &Engine) -> anyhow::Result<(Option<String>, Option<String>)> {
    engine.wait_phase(Phase::Ready).await?;
    let object = engine.wait_rest().await?;
    let pod: Option<Pod> = engine.pod().await?;
    Ok((object.resource_version(), pod.and_then(|pod| pod.uid())))
}
