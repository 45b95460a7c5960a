//! A running engine is changed like what was accepted, and back.

use anyhow::{Context as _, ensure};
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, PostParams};
use serde_json::Value;
use userengine_api::status::Phase;
use userengine_e2e::{Engine, Namespace, condition, eventually, inside, is_ready};

use super::is_whole;
use super::made::Reasons;
use super::objects::Wrong;

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

/// Changes a running engine like each of these, and takes that back each time; in the end it has the brain that it had. Gives how often
/// it came to what.
pub async fn changed_while_it_runs(
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

/// What an object asks for.
pub fn spec_of(object: &DynamicObject) -> anyhow::Result<Value> {
    object.data.get("spec").cloned().context("no spec")
}

/// One change, what became of the engine, and the way back.
async fn there_and_back(
    engine: &Engine,
    door: &Api<DynamicObject>,
    right: &Value,
    wrong: &Wrong,
) -> anyhow::Result<String> {
    let before = engine.pod_uid().await?;
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
    let after = engine.pod_uid().await?;
    ensure!(
        !keeps_pod || after == Some(before),
        "it lost its pod on the way back"
    );
    Ok(outcome)
}

/// Puts this in the place of an object's spec, and gives what the API server made of it; `None` if it refuses.
pub async fn put(
    door: &Api<DynamicObject>,
    name: &str,
    spec: &Value,
) -> anyhow::Result<Option<Value>> {
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
