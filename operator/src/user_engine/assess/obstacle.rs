//! What keeps a pod or a volume from being made, as only Events tell.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use userengine_api::condition::{ConditionType, Reason};

use super::Finding;
use super::container::{image_that_lacks, status, waiting, waits_for_image, without_sandbox};
use super::quote::{quoted, without_figures};
use super::storage::is_bound;
use crate::user_engine::observed::{Observed, is_ready};
use crate::user_engine::tries::Lack;

/// Seconds after its last failure in which a volume is sure to be tried again: the kubelet's longest wait, and some to
/// spare. What failed earlier than that may be well by now.
const ROUND: i64 = 130;
/// In the order in which they stand in each other's way.
const NOT_MOUNTED: [&str; 3] = ["FailedAttachVolume", "FailedMapVolume", "FailedMount"];
/// The network, the container runtime, or a limit of memory in which nothing can begin.
const NO_SANDBOX: &str = "FailedCreatePodSandBox";
/// What comes after the sandbox.
const IN_SANDBOX: [&str; 4] = ["Pulling", "Pulled", "Created", "Started"];
/// What comes after the volumes, or is one on its way.
const MOUNTED: [&str; 6] = [
    "SuccessfulAttachVolume",
    NO_SANDBOX,
    "Pulling",
    "Pulled",
    "Created",
    "Started",
];

/// An object that the engine waits for, and whose Events may say what it waits for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Which one.
    pub uid: String,
    /// Since when it is there; `None` if that says nothing of how long the engine has waited.
    pub since: Option<Timestamp>,
}

/// Everything that the engine waits for, and of which nothing but Events tells more.
pub fn awaited(observed: &Observed) -> Vec<Awaited> {
    if observed.engine.spec.suspended {
        return Vec::new();
    }
    let claim = observed.claim.as_ref().filter(|claim| !is_bound(claim));
    let claim = claim.and_then(created);
    let pod = match &observed.pod {
        Some(pod) => created(pod).filter(|_| is_being_made(pod)),
        // Its age says nothing: it may be much older than the wish for a pod.
        None => observed
            .stateful_set()
            .filter(|set| set.data.pointer("/spec/replicas").is_some_and(|it| it == 1))
            .and_then(created)
            .map(|set| Awaited { since: None, ..set }),
    };
    claim.into_iter().chain(pod).collect()
}

fn created(object: &impl ResourceExt) -> Option<Awaited> {
    Some(Awaited {
        uid: object.uid()?,
        since: object.creation_timestamp().map(|time| time.0),
    })
}

/// It has a node, and its container is not there yet: the kubelet brings volumes and image.
fn is_being_made(pod: &Pod) -> bool {
    let is_placed = pod
        .spec
        .as_ref()
        .is_some_and(|spec| spec.node_name.is_some());
    let is_creating = status(pod).is_none_or(|container| {
        waiting(container).and_then(|it| it.reason.as_deref()) == Some("ContainerCreating")
    });
    let is_kept = pod.metadata.deletion_timestamp.is_none();
    is_placed && is_creating && is_kept && !is_ready(pod)
}

/// What keeps the kubelet from making the pod's container.
pub fn of_pod(observed: &Observed, pod: &Pod) -> Option<Finding> {
    if !is_being_made(pod) {
        return None;
    }
    let before = said_before(observed, ConditionType::EngineAvailable);
    let mounting = failing(&observed.events, &NOT_MOUNTED, &MOUNTED);
    let Some((reason, said)) = mounting else {
        let (_, said) = failing(&observed.events, &[NO_SANDBOX], &IN_SANDBOX)?;
        return Some(without_sandbox(pod, said, before));
    };
    if reason == "FailedMount" {
        let message = quoted(before, "a volume cannot be mounted", said);
        return Some(Finding::blocked(Reason::VolumeMountFailed, message));
    }
    // The node that had it last may be about to let it go.
    let message = quoted(
        before,
        "the volume cannot be attached to the pod's node",
        said,
    );
    Some(Finding::waiting(Reason::VolumeNotAttached, message))
}

/// There is no pod because the API server refuses it.
pub fn is_refused(observed: &Observed) -> bool {
    observed.pod.is_none() && of_set(observed).is_some()
}

/// What the engine lacks and may have at its next try, and when the last one was.
pub fn lack(observed: &Observed) -> Option<(Lack, Timestamp)> {
    if let Some(pod) = &observed.pod {
        if pod.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let image = image_that_lacks(pod)?;
        return Some((Lack::Image(image.to_owned()), pod.creation_timestamp()?.0));
    }
    let said = refusal_of_pod(observed)?;
    let words = without_figures(&said.replace(&observed.names().pod(), ""));
    let failures = observed.events.iter();
    let failures = failures.filter(|event| is_one(event, &["FailedCreate"]));
    let namespace = observed.engine.namespace().unwrap_or_default();
    let lack = Lack::Pod { namespace, words };
    Some((lack, failures.filter_map(time).max()?))
}

/// Who keeps the StatefulSet's controller from making the pod.
pub fn of_set(observed: &Observed) -> Option<Finding> {
    let said = refusal_of_pod(observed)?;
    let own = format!("the API server refuses the pod '{}-0'", observed.name());
    let before = said_before(observed, ConditionType::EngineAvailable);
    Some(Finding::blocked(
        Reason::PodRefused,
        quoted(before, &own, said),
    ))
}

/// The API server's words. A refusal from before the engine served last is over.
fn refusal_of_pod(observed: &Observed) -> Option<&str> {
    let (_, said) = failing(&observed.events, &["FailedCreate"], &["SuccessfulCreate"])
        .filter(|_| is_recent(observed))?;
    let rest = said.split_once("failed error: ");
    Some(rest.map_or(said, |(_, said)| said))
}

fn is_recent(observed: &Observed) -> bool {
    let Some(last) = observed.condition(ConditionType::EngineAvailable) else {
        return true;
    };
    let failures = observed.events.iter();
    let failures = failures.filter(|event| event.reason.as_deref() == Some("FailedCreate"));
    let since = last.last_transition_time.0;
    failures
        .filter_map(time)
        .any(|time| time.as_second() >= since.as_second())
}

/// Why there is no volume behind the claim. Provisioners say between their failures that they are at it.
pub fn of_claim(observed: &Observed, claim: &PersistentVolumeClaim) -> Option<Finding> {
    let (_, said) = failing(
        &observed.events,
        &["ProvisioningFailed", "FailedBinding"],
        &[],
    )?;
    let own = format!("no volume can be made for '{}'", claim.name_any());
    let before = said_before(observed, ConditionType::StorageReady);
    Some(Finding::blocked(
        Reason::ProvisioningFailed,
        quoted(before, &own, said),
    ))
}

/// The Secrets with which the kubelet pulls an image that it cannot have.
pub fn pulls_with(pod: &Pod) -> Vec<&str> {
    if waits_for_image(pod).is_none() {
        return Vec::new();
    }
    let secrets = pod
        .spec
        .iter()
        .flat_map(|spec| spec.image_pull_secrets.iter().flatten());
    secrets.map(|secret| secret.name.as_str()).collect()
}

/// An object that the kubelet looked for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing<'a> {
    /// A Secret of this name.
    Secret(&'a str),
    /// A ConfigMap of this name.
    ConfigMap(&'a str),
}

/// What keeps the pod's container from being made because it was not there.
pub fn missing<'a>(observed: &'a Observed, pod: &'a Pod) -> Option<Missing<'a>> {
    let waiting = status(pod).and_then(waiting);
    let told = waiting.filter(|it| it.reason.as_deref() == Some("CreateContainerConfigError"));
    let told = told.and_then(|waiting| waiting.message.as_deref());
    let mounting = || failing(&observed.events, &["FailedMount"], &MOUNTED);
    let said = told.or_else(|| {
        mounting()
            .filter(|_| is_being_made(pod))
            .map(|(_, said)| said)
    })?;
    let named = |kind: &str| {
        let (_, rest) = said.split_once(&format!("{kind} \""))?;
        let (name, rest) = rest.split_once('"')?;
        rest.trim_start().starts_with("not found").then_some(name)
    };
    let secret = named("secret").map(Missing::Secret);
    secret.or_else(|| named("configmap").map(Missing::ConfigMap))
}

/// The failure that counts, if none of `progress` came after it or with it: of several that go on side by side always the
/// same one.
fn failing<'a>(
    events: &'a [Event],
    failures: &[&str],
    progress: &[&str],
) -> Option<(&'a str, &'a str)> {
    let seconds = |event: &Event| time(event).map(Timestamp::as_second);
    let last = |reasons: &[&str]| {
        let told = events.iter().filter(|event| is_one(event, reasons));
        told.filter_map(seconds).max()
    };
    let newest = last(failures)?;
    let past = last(progress)
        .map_or(i64::MIN, |it| it + 1)
        .max(newest - ROUND);
    let rank = |event: &Event| {
        failures
            .iter()
            .position(|it| event.reason.as_deref() == Some(it))
    };
    events
        .iter()
        .filter(|event| is_one(event, failures) && seconds(event).is_some_and(|it| it >= past))
        .min_by_key(|event| {
            let said = event.message.as_deref();
            (rank(event), said.is_some_and(says_little), said)
        })
        .map(|event| {
            let said = event.message.as_deref().unwrap_or("no message");
            (event.reason.as_deref().unwrap_or_default(), said)
        })
}

/// What a kubelet says whose copy of a Secret or ConfigMap is not there yet. If it never will be, another message says why.
fn says_little(message: &str) -> bool {
    message.contains("cache: timed out waiting for the condition")
}

fn is_one(event: &Event, reasons: &[&str]) -> bool {
    event
        .reason
        .as_deref()
        .is_some_and(|reason| reasons.contains(&reason))
}

/// When it was last so.
fn time(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|it| it.last_observed_time.as_ref());
    let times = [
        series.map(|time| time.0),
        event.last_timestamp.as_ref().map(|time| time.0),
        event.event_time.as_ref().map(|time| time.0),
        event.first_timestamp.as_ref().map(|time| time.0),
    ];
    times.into_iter().flatten().max()
}

/// What a condition says now.
pub fn said_before(observed: &Observed, kind: ConditionType) -> Option<&str> {
    observed.condition(kind).map(|last| last.message.as_str())
}
