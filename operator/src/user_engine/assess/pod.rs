//! Whether the engine's pod serves, and if not, what keeps it.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodCondition};
use kube::ResourceExt;
use userengine_api::condition::{ConditionType, Reason};
use userengine_api::refusal::{Refusal, RefusalReason};

use super::jobs::is_lost;
use super::obstacle::{self, said_before};
use super::quote::quoted;
use super::rollout::has_replica;
use super::{Finding, container, kept};
use crate::user_engine::observe::age;
use crate::user_engine::observed::{Observed, is_ready, pod_condition};

/// How long a new pod may take to have an image that could not be had: container runtimes give one up that makes no progress for five
/// minutes.
const LONGEST_PULL: SignedDuration = SignedDuration::from_mins(6);

/// Looks at the pod.
pub fn assess(observed: &Observed, is_paused: bool) -> Finding {
    let suspended = is_to_sleep(observed, is_paused);
    match &observed.pod {
        None if suspended => Finding::idle(
            Reason::Suspended,
            "stopped on request; brain and keys are kept",
        ),
        Some(pod) if is_lost(pod, observed.now) || was_unheard_of(pod) => unreachable_node(pod),
        Some(_) if suspended => Finding::waiting(
            Reason::Stopping,
            "waiting for the pod to finish what is in flight and close its brain",
        ),
        None => obstacle::of_set(observed)
            .or_else(|| tried_anew(observed, None))
            .unwrap_or_else(|| {
                Finding::waiting(Reason::Starting, "waiting for the pod to be created")
            }),
        Some(pod) if pod.metadata.deletion_timestamp.is_some() => tried_anew(observed, Some(pod))
            .unwrap_or_else(|| {
                Finding::waiting(Reason::Starting, "waiting for the former pod to go")
            }),
        Some(pod) if is_ready(pod) => Finding::fine("the engine serves"),
        Some(pod) => not_ready(observed, pod),
    }
}

/// The engine is not to run: as its spec says, or, during a pause, as it was when that began.
fn is_to_sleep(observed: &Observed, is_paused: bool) -> bool {
    match observed.stateful_set().filter(|_| is_paused) {
        Some(live) => !has_replica(live),
        None => observed.engine.spec.suspended,
    }
}

fn not_ready(observed: &Observed, pod: &Pod) -> Finding {
    let container = container::status(pod);
    let before = said_before(observed, ConditionType::EngineAvailable);
    if let Some(rejected) = rejected(pod, before) {
        return rejected;
    }
    if let Some(refusal) = container.and_then(refusal) {
        let reason = Reason::Refused(refusal.reason);
        // The one refusal that time alone may mend: the other engine goes away.
        return match refusal.reason {
            RefusalReason::BrainLocked => Finding::waiting(reason, refusal.message),
            _ => Finding::blocked(reason, refusal.message),
        };
    }
    if let Some(placed) = pod_condition(pod, "PodScheduled").filter(|it| it.status == "False") {
        return unscheduled(placed, before);
    }
    if is_unheard_of(pod, container) {
        return unreachable_node(pod);
    }
    container
        .and_then(|container| container::trouble(pod, container, before))
        .or_else(|| obstacle::of_pod(observed, pod))
        .or_else(|| tried_anew(observed, Some(pod)))
        .unwrap_or_else(|| starting(container))
}

/// What was said of a pod whose image could not be had, until the one in its place has had the time to fare better: it is tried
/// anew each minute, and to tell of each try would be news for nobody.
fn tried_anew(observed: &Observed, pod: Option<&Pod>) -> Option<Finding> {
    let last = observed.condition(ConditionType::EngineAvailable)?;
    if last.reason != Reason::ImagePullFailed.as_str() {
        return None;
    }
    let image = match pod {
        Some(pod) => container::engine_container(pod)?.image.as_deref(),
        None => kept::image(observed.stateful_set()?),
    };
    let is_new = |pod: &Pod| {
        let made = pod.creation_timestamp();
        let age = made.and_then(|made| age(made.0, observed.now));
        age.is_some_and(|age| age < LONGEST_PULL)
    };
    let may_fare_the_same = pod.is_none_or(|pod| {
        let is_going = pod.metadata.deletion_timestamp.is_some();
        container::image_that_is_there(pod).is_none() && (is_going || is_new(pod))
    });
    let is_of_it = last.message.starts_with(&container::without_image(image?));
    (is_of_it && may_fare_the_same)
        .then(|| Finding::blocked(Reason::ImagePullFailed, last.message.clone()))
}

/// A pod that its kubelet did not take, or has put out: another one takes its place, and may fare the same
/// (<https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/>).
fn rejected(pod: &Pod, before: Option<&str>) -> Option<Finding> {
    let status = pod.status.as_ref()?;
    let reason = status.reason.as_deref()?;
    if status.phase.as_deref() != Some("Failed") {
        return None;
    }
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let own = format!(
        "node '{}' does not keep the pod ({reason})",
        node.unwrap_or_default()
    );
    let said = status.message.as_deref().unwrap_or("no more is said");
    Some(Finding::blocked(
        Reason::PodRejected,
        quoted(before, &own, said),
    ))
}

fn starting(container: Option<&ContainerStatus>) -> Finding {
    let why = container
        .and_then(why_waiting)
        .unwrap_or_else(|| "waiting for the engine to answer".to_owned());
    Finding::waiting(Reason::Starting, why)
}

fn unscheduled(placed: &PodCondition, before: Option<&str>) -> Finding {
    let said = placed.message.as_deref().unwrap_or("no reason given");
    let own = "no node takes the pod";
    // A volume that is yet to be bound, which `StorageReady` speaks of, keeps every pod from every node.
    let is_judged = placed.reason.as_deref() == Some("Unschedulable")
        && !said.contains("unbound immediate PersistentVolumeClaims");
    if is_judged {
        return Finding::blocked(Reason::Unschedulable, quoted(before, own, said));
    }
    Finding::waiting(Reason::Starting, quoted(before, own, said))
}

/// The control plane gave up on the pod, and the container, of which its node alone may speak, still passes for ready.
fn is_unheard_of(pod: &Pod, container: Option<&ContainerStatus>) -> bool {
    pod_condition(pod, "Ready").is_some_and(|ready| ready.status == "False")
        && container.is_some_and(|container| container.ready)
}

/// It was so before somebody deleted the pod, as the cluster itself does after a while. The grace that it was given then is in
/// the time of its deletion.
fn was_unheard_of(pod: &Pod) -> bool {
    let Some(due) = &pod.metadata.deletion_timestamp else {
        return false;
    };
    let grace = pod
        .metadata
        .deletion_grace_period_seconds
        .unwrap_or_default();
    let ready = pod_condition(pod, "Ready").and_then(|ready| ready.last_transition_time.as_ref());
    let since = ready.map(|time| due.0.duration_since(time.0).as_secs());
    is_unheard_of(pod, container::status(pod)) && since.is_some_and(|since| since > grace)
}

fn unreachable_node(pod: &Pod) -> Finding {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    Finding::blocked(
        Reason::NodeUnreachable,
        format!(
            "node '{}' does not answer, so nobody knows whether the engine runs there, and none is started beside it: bring the node back, or say that it is gone for good",
            node.unwrap_or_default()
        ),
    )
}

/// The refusal that the container left, at its last end or the one before a restart that has not come to anything
/// yet. One that did start says nothing of its former ends.
fn refusal(container: &ContainerStatus) -> Option<Refusal> {
    let former = (container.started != Some(true)).then_some(&container.last_state);
    [Some(&container.state), former]
        .into_iter()
        .flatten()
        .filter_map(|state| state.as_ref()?.terminated.as_ref()?.message.as_deref())
        .find_map(Refusal::from_json)
}

/// When the engine last refused to start for want of its key.
pub fn refused_its_key(pod: &Pod) -> Option<Timestamp> {
    let container = container::status(pod)?;
    let said = refusal(container)?;
    let ended = container::last_end(container).filter(|_| said.reason.is_of_the_key())?;
    ended.finished_at.as_ref().map(|time| time.0)
}

fn why_waiting(container: &ContainerStatus) -> Option<String> {
    let ContainerState {
        waiting,
        terminated,
        ..
    } = container.state.as_ref()?;
    if let Some(ended) = terminated {
        return Some(format!(
            "the engine ended with exit code {}",
            ended.exit_code
        ));
    }
    let waiting = waiting.as_ref()?;
    let reason = waiting
        .reason
        .as_deref()
        .filter(|reason| *reason != "ContainerCreating")?;
    Some(format!(
        "{reason}: {}",
        waiting.message.as_deref().unwrap_or("no message")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(started: bool) -> ContainerStatus {
        let former = r#"{"reason":"BrainLocked","message":"another engine has it"}"#;
        serde_json::from_value(serde_json::json!({
            "name": "engine", "image": "x", "imageID": "x", "ready": false, "restartCount": 1, "started": started,
            "state": { "running": {} },
            "lastState": { "terminated": { "exitCode": 75, "message": former } },
        }))
        .unwrap()
    }

    #[test]
    fn a_refusal_is_over_once_the_container_has_started() {
        assert!(refusal(&container(false)).is_some());
        assert!(refusal(&container(true)).is_none());
    }
}
