//! The class of a running engine is changed like what was accepted, and back.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject};
use serde_json::{Value, json};
use userengine_api::names::Names;
use userengine_api::status::Phase;
use userengine_api::{UserEngine, labels};
use userengine_e2e::{Engine, Namespace, class, condition, eventually, inside, is_ready};

use super::is_whole;
use super::made::Reasons;
use super::objects::Wrong;
use super::running::{put, spec_of};

/// Most of the accepted ones that the class of a running engine is changed like, unless all are tried: most of them restart it,
/// and the way back does so again.
const OF_CLASS: usize = 5;
/// Seconds until an engine whose class was changed has come to something, on a loaded machine.
const PATIENCE: u64 = 90;
/// What of a class is part of no pod: bounds, walls, and what only the operator goes by. A change of these alone costs a running
/// engine no pod.
const NO_PARTS: [&str; 9] = [
    "allowedImages",
    "allowedEnv",
    "allowedEnvFrom",
    "maxResources",
    "storage",
    "keys",
    "ingressFrom",
    "monitoringFrom",
    "rollout",
];

/// Changes the class of a running engine like each of these, and takes that back each time: it serves again with the brain that it
/// had. Gives how often it came to what.
pub async fn changed_while_it_is_followed(
    namespace: &Namespace,
    classes: &Api<DynamicObject>,
    accepted: &[Wrong],
) -> anyhow::Result<Reasons> {
    let engine = following(namespace).await?;
    let before = brain(&engine).await?;
    let right = spec_of(&classes.get(&namespace.name).await?)?;
    let most = if is_whole() { usize::MAX } else { OF_CLASS };
    // From all over: neighbours are changes of the same field.
    let step = accepted.len().div_ceil(most).max(1);
    let mut outcomes = Reasons::new();
    for wrong in accepted.iter().step_by(step) {
        let outcome = there_and_back(&engine, classes, &right, wrong).await;
        let what = || format!("a running engine of a class with {}", wrong.what);
        let outcome = outcome.with_context(what)?;
        let after = brain(&engine).await.with_context(what)?;
        ensure!(after == before, "{}: it has another brain", what());
        *outcomes.entry(outcome).or_default() += 1;
    }
    let gone = DeleteParams::default();
    classes.delete(&namespace.name, &gone).await?;
    Ok(outcomes)
}

/// An engine that serves, of a class of its own. It asks for a size of its own: one that had grown with its class would not shrink
/// with it.
async fn following(namespace: &Namespace) -> anyhow::Result<Engine> {
    class(&namespace.client, &namespace.name, json!({})).await?;
    let object = json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "UserEngine",
        "metadata": { "name": "following" },
        "spec": { "user": "following", "className": namespace.name, "storage": { "size": "64Mi" } },
    });
    let engine = Engine::create(namespace, object).await?;
    engine.wait_phase(Phase::Ready).await?;
    Ok(engine)
}

/// The brain that an engine has: its id and the key that seals, as the engine says, the volume, and the keys that it records.
async fn brain(engine: &Engine) -> anyhow::Result<Vec<String>> {
    let said = inside(engine).await?;
    let word = |name: &str| Some(said.get(name)?.as_str()?.to_owned());
    let claims: Api<PersistentVolumeClaim> = engine.namespace.api();
    let claim = claims.get(&Names(&engine.name).claim()).await?;
    let keys = claim.annotations().get(labels::KEYS).cloned();
    let parts = [word("database_id"), word("write_kid"), claim.uid(), keys];
    let parts: Option<Vec<_>> = parts.into_iter().collect();
    parts.context("the brain lacks an id, a key or a volume")
}

/// One change, what became of the engine, and the way back.
async fn there_and_back(
    engine: &Engine,
    classes: &Api<DynamicObject>,
    right: &Value,
    wrong: &Wrong,
) -> anyhow::Result<String> {
    let before = engine.wait_rest().await?;
    let former = engine.pod_uid().await?.context("no pod")?;
    let name = &engine.namespace.name;
    let Some(spec) = put(classes, name, &wrong.within(right)).await? else {
        return Ok("refused".to_owned());
    };
    if spec == *right {
        return Ok("the same class".to_owned());
    }
    let keeps_pod = keeps_pod(&spec, right);
    let outcome = eventually("what became of it", PATIENCE, || async {
        Ok(match serving(engine, &before).await? {
            Some(pod) => Some(Ok(pod)),
            None => blocked(engine).await?.map(Err),
        })
    });
    let outcome: Result<String, String> = outcome.await?;
    let serves_on = outcome.as_ref() == Ok(&former);
    ensure!(
        !keeps_pod || serves_on || outcome.is_err(),
        "it lost its pod"
    );
    let during = engine.get().await?;
    let back = put(classes, name, right).await?;
    ensure!(back.is_some(), "the change cannot be taken back");
    let after = eventually("it to serve again", PATIENCE, || serving(engine, &during)).await?;
    ensure!(
        !keeps_pod || after == former,
        "it lost its pod on the way back"
    );
    Ok(match outcome {
        Ok(_) if serves_on => "serves on".to_owned(),
        Ok(_) => "serves in another pod".to_owned(),
        Err(reason) => reason,
    })
}

/// Nothing differs but what is part of no pod.
fn keeps_pod(spec: &Value, right: &Value) -> bool {
    let fields = [spec, right].into_iter().filter_map(Value::as_object);
    let mut differing = fields
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| spec.get(name) != right.get(name));
    differing.all(|name| NO_PARTS.contains(&name))
}

/// The pod in which an engine serves, once the operator has looked at it by another class than it had been looked at `since` and left
/// nothing to do: of what it rests on, each change of its class is part.
async fn serving(engine: &Engine, since: &UserEngine) -> anyhow::Result<Option<String>> {
    let settled = |engine: &UserEngine| engine.status.as_ref()?.settled.clone();
    let now = engine.get().await?;
    let is_ready_now = now.status.as_ref().and_then(|it| it.phase) == Some(Phase::Ready);
    let pod = engine.pod().await?.filter(is_ready);
    let pod = pod.filter(|_| is_ready_now && settled(&now) != settled(since));
    Ok(pod.and_then(|pod| pod.uid()))
}

/// Why an engine does not serve, if somebody has to act.
async fn blocked(engine: &Engine) -> anyhow::Result<Option<String>> {
    let now = engine.get().await?;
    let is_blocked = now.status.as_ref().and_then(|it| it.phase) == Some(Phase::Blocked);
    let ready = condition(&now, "Ready").context("no condition Ready")?;
    ensure!(!ready.message.is_empty(), "{} says no more", ready.reason);
    Ok(is_blocked.then_some(ready.reason))
}
