//! What keeps an engine from coming up: that it is told in time and once, and that nobody waits once it is mended.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::{ContainerStatus, Event as CoreEvent, ResourceQuota};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use userengine_api::status::Phase;

use crate::wait::STEP;
use crate::{Engine, Kind, Namespace, class, condition, engine, eventually, holds};

/// The time in which a reason shows.
const SHOWN: Duration = Duration::from_secs(5);
/// Most of that time which passes between two looks: what a busy machine keeps a test waiting beyond it is not counted.
const BETWEEN: Duration = Duration::from_millis(300);
/// Seconds after which the container of an engine whose trouble is mended is begun: a look of the operator, and a start on a
/// loaded machine. Whoever waits for a kubelet or a controller that was refused waits for longer.
const BACK: i64 = 25;
/// Seconds in which it is said that a pod is ready, on a loaded machine.
const TOLD: i64 = 10;
/// Seconds in which a blocked engine is looked at again, though nothing wakes the operator.
pub const LOOK: u64 = 11;

impl Engine {
    /// Creates an engine of a class of its own, which has the namespace's name, with these changes to the test class.
    pub async fn of_class(namespace: &Namespace, changes: Value) -> anyhow::Result<Self> {
        class(&namespace.client, &namespace.name, changes).await?;
        let mut object = engine("alice", "alice");
        *object.pointer_mut("/spec/className").context("no class")? = json!(namespace.name);
        Self::create(namespace, object).await
    }

    /// Makes these, and no others, the changes to the test class that the class of its own has.
    pub async fn class(&self, changes: Value) -> anyhow::Result<()> {
        class(&self.namespace.client, &self.namespace.name, changes).await
    }
}

/// Waits until the cluster shows it, and sees that the engine says so in time.
pub async fn says<F>(
    engine: &Engine,
    (kind, reason): (&str, &str),
    mut shows: impl FnMut() -> F,
) -> anyhow::Result<Condition>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    eventually(&format!("the cluster to show {reason}"), 90, || {
        let look = shows();
        async move { Ok(look.await?.then_some(())) }
    })
    .await?;
    let (mut last, mut took) = (Instant::now(), Duration::ZERO);
    let condition = loop {
        let said = engine.get().await.map(|engine| condition(&engine, kind));
        took += last.elapsed().min(BETWEEN);
        last = Instant::now();
        match said {
            Ok(Some(said)) if said.reason == reason => break said,
            said => ensure!(
                took < SHOWN,
                "{reason} did not show in {took:?}, but {said:?}"
            ),
        }
        tokio::time::sleep(STEP).await;
    };
    eprintln!("{reason} showed after {took:?}: {}", condition.message);
    Ok(condition)
}

/// The pod's container is so.
pub async fn container(
    engine: &Engine,
    is_so: impl Fn(&ContainerStatus) -> bool,
) -> anyhow::Result<bool> {
    let pod = engine.pod().await?;
    let status = pod.and_then(|pod| pod.status);
    let containers = status.and_then(|status| status.container_statuses);
    Ok(containers.iter().flatten().any(is_so))
}

/// It is not begun, for this reason.
pub fn waits_for(container: &ContainerStatus, reason: &str) -> bool {
    let state = container.state.as_ref();
    let waiting = state.and_then(|state| state.waiting.as_ref());
    waiting.is_some_and(|waiting| waiting.reason.as_deref() == Some(reason))
}

/// Its image cannot be had: it is tried, or waits for the next try.
pub fn lacks_its_image(container: &ContainerStatus) -> bool {
    waits_for(container, "ErrImagePull") || waits_for(container, "ImagePullBackOff")
}

/// It runs.
pub fn is_running(container: &ContainerStatus) -> bool {
    let state = container.state.as_ref();
    state.is_some_and(|state| state.running.is_some())
}

/// It ended for this reason, now or before its last start.
pub fn ended_for(container: &ContainerStatus, reason: &str) -> bool {
    [&container.state, &container.last_state]
        .into_iter()
        .filter_map(|state| state.as_ref()?.terminated.as_ref())
        .any(|ended| ended.reason.as_deref() == Some(reason))
}

/// It left such a word when it ended, now or before its last start.
pub fn ended_saying(container: &ContainerStatus, word: &str) -> bool {
    [&container.state, &container.last_state]
        .into_iter()
        .filter_map(|state| state.as_ref()?.terminated.as_ref()?.message.as_deref())
        .any(|message| message.contains(word))
}

/// An Event of the cluster's own tells this of an object in the namespace, in these words.
pub async fn told(namespace: &Namespace, reason: &str, words: &str) -> anyhow::Result<bool> {
    let of_reason = ListParams::default().fields(&format!("reason={reason}"));
    let found = namespace.api::<CoreEvent>().list(&of_reason).await?;
    let mut said = found.iter().filter_map(|event| event.message.as_deref());
    Ok(said.any(|message| message.contains(words)))
}

/// Waits until a quota is in force with this amount, as its status says.
pub async fn allows(
    namespace: &Namespace,
    quota: &str,
    what: &str,
    amount: &str,
) -> anyhow::Result<()> {
    eventually("the quota to be in force", 60, || async {
        let quota: ResourceQuota = namespace.api().get(quota).await?;
        let hard = quota.status.and_then(|status| status.hard);
        let known = hard.is_some_and(|hard| hard.get(what).is_some_and(|it| it.0 == amount));
        Ok(known.then_some(()))
    })
    .await
}

/// Waits until the API server refuses such an object with this word: what is to refuse it is asked a moment after its making.
pub async fn refuses<K: Kind>(
    namespace: &Namespace,
    object: &Value,
    word: &str,
) -> anyhow::Result<()> {
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    eventually("it to be refused", 30, || async {
        let object: K = serde_json::from_value(object.clone())?;
        let Err(refused) = namespace.api().create(&dry, &object).await else {
            return Ok(None);
        };
        Ok(refused.to_string().contains(word).then_some(()))
    })
    .await
}

/// The label that lets a namespace do what `unless_welcome` forbids it.
pub const WELCOME: &str = "example.com/welcome";

/// Waits for this while a policy forbids the namespace such requests, of the core group, as long as it lacks the label `WELCOME`.
pub async fn unless_welcome(
    namespace: &Namespace,
    requests: &Value,
    outcome: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let name = &namespace.name;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(namespace.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(namespace.client.clone());
    let mut rule = json!({ "apiGroups": [""], "apiVersions": ["v1"] });
    json_patch::merge(&mut rule, requests);
    let policy = json!({
        "metadata": { "name": name },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": [rule] },
            "validations": [{ "expression": "false", "message": "none before they are welcome" }],
        },
    });
    let unwelcome = json!([{ "key": WELCOME, "operator": "DoesNotExist" }]);
    let here = json!({ "kubernetes.io/metadata.name": name });
    let here = json!({ "matchLabels": here, "matchExpressions": unwelcome });
    let binding = json!({
        "metadata": { "name": name },
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": { "namespaceSelector": here },
        },
    });
    let (new, gone) = (PostParams::default(), DeleteParams::default());
    let policy = serde_json::from_value(policy)?;
    policies.create(&new, &policy).await?;
    let binding = serde_json::from_value(binding)?;
    bindings.create(&new, &binding).await?;
    let outcome = outcome.await;
    bindings.delete(name, &gone).await?;
    policies.delete(name, &gone).await?;
    outcome
}

/// The Events of this reason that the operator has made of an engine, whether that is still there or not.
pub async fn events(engine: &Engine, reason: &str) -> anyhow::Result<Vec<Event>> {
    let all = engine.namespace.api::<Event>();
    let mut events = all.list(&ListParams::default()).await?.items;
    events.retain(|event| {
        let regarding = event.regarding.as_ref();
        let is_ours = regarding.is_some_and(|it| {
            it.kind.as_deref() == Some("UserEngine") && it.name.as_ref() == Some(&engine.name)
        });
        is_ours && event.reason.as_deref() == Some(reason)
    });
    Ok(events)
}

/// How often each of them was told.
pub async fn counts(engine: &Engine, reason: &str) -> anyhow::Result<Vec<i32>> {
    let series = events(engine, reason)
        .await?
        .into_iter()
        .map(|it| it.series);
    Ok(series.map(|it| it.map_or(1, |it| it.count)).collect())
}

/// How often it was told in all, of every engine that has had this name.
pub async fn times(engine: &Engine, reason: &str) -> anyhow::Result<i32> {
    Ok(counts(engine, reason).await?.into_iter().sum())
}

/// It is told once more than `before`, and not again: for what was told of former troubles too, or is not all that is written.
pub async fn is_told_once_since(
    engine: &Engine,
    reason: &str,
    before: i32,
    seconds: u64,
) -> anyhow::Result<()> {
    let once = before + 1;
    // The Event comes after the status.
    eventually(&format!("{reason} to be told"), 10, || async {
        Ok((times(engine, reason).await? == once).then_some(()))
    })
    .await?;
    holds(&format!("{reason} is told once"), seconds, || async {
        Ok(times(engine, reason).await? == once)
    })
    .await
}

/// What they say.
pub async fn notes(engine: &Engine, reason: &str) -> anyhow::Result<Vec<String>> {
    let events = events(engine, reason).await?.into_iter();
    Ok(events.filter_map(|event| event.note).collect())
}

/// Nothing is written to the engine while its trouble lasts, and there is one Event about it.
pub async fn is_told_once(engine: &Engine, reason: &str, seconds: u64) -> anyhow::Result<()> {
    let before = engine.get().await?.resource_version();
    let what = format!("nothing is written about {reason}");
    holds(&what, seconds, || async {
        Ok(engine.get().await?.resource_version() == before)
    })
    .await?;
    let counts = counts(engine, reason).await?;
    ensure!(counts == [1], "Events about {reason}: {counts:?}");
    Ok(())
}

/// The engine is back after the cure. Its container was begun soon after it, unless it ran all the while, and that it is ready
/// was soon said.
pub async fn is_back(engine: &Engine) -> anyhow::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the kubelet on this machine says when it began"
    )]
    let now = Timestamp::now;
    let cured = now();
    engine.wait_phase(Phase::Ready).await?;
    let said = now();
    let pod = engine.pod().await?.context("no pod")?;
    let status = pod.status.context("no status")?;
    let mut running = status.container_statuses.iter().flatten().filter_map(|it| {
        let running = it.state.as_ref()?.running.as_ref()?;
        running.started_at.as_ref()
    });
    let begun = running.next().context("no container")?.0;
    let seconds = begun.as_second() - cured.as_second();
    ensure!(seconds < BACK, "it was begun again after {seconds} s");
    let mut conditions = status.conditions.iter().flatten();
    let ready = conditions.find(|it| it.type_ == "Ready" && it.status == "True");
    let ready = ready
        .and_then(|it| it.last_transition_time.as_ref())
        .context("not ready")?
        .0;
    let late = said.as_second() - ready.max(cured).as_second();
    ensure!(late < TOLD, "that it is ready was said after {late} s");
    eprintln!("begun {seconds} s after the cure, and said {late} s after it was ready");
    Ok(())
}
