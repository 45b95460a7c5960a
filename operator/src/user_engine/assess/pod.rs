//! Whether the engine's pod serves, and if not, what keeps it.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use userengine_api::condition::Reason;
use userengine_api::refusal::{Refusal, RefusalReason};

use super::Finding;
use crate::user_engine::observed::Observed;

/// Looks at the pod.
pub fn assess(observed: &Observed) -> Finding {
    let suspended = observed.engine.spec.suspended;
    match &observed.pod {
        None if suspended => Finding::idle(
            Reason::Suspended,
            "stopped on request; brain and keys are kept",
        ),
        Some(_) if suspended => Finding::waiting(
            Reason::Stopping,
            "waiting for the pod to finish what is in flight and close its brain",
        ),
        None => Finding::waiting(Reason::Starting, "waiting for the pod to be created"),
        Some(pod) if pod.metadata.deletion_timestamp.is_some() => {
            Finding::waiting(Reason::Starting, "waiting for the former pod to go")
        }
        Some(pod) if is_ready(pod) => Finding::fine("the engine serves"),
        Some(pod) => not_ready(pod),
    }
}

/// The pod's condition `Ready` holds.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|(status, _)| status == "True")
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, Option<&'a str>)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|c| c.type_ == kind)
        .map(|c| (c.status.as_str(), c.message.as_deref()))
}

fn not_ready(pod: &Pod) -> Finding {
    let container = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref())
        .and_then(|all| {
            all.iter()
                .find(|container| container.name == crate::user_engine::build::CONTAINER)
        });
    if let Some(refusal) = container.and_then(refusal) {
        let reason = Reason::Refused(refusal.reason);
        // The one refusal that time alone may mend: the other engine goes away.
        return match refusal.reason {
            RefusalReason::BrainLocked => Finding::waiting(reason, refusal.message),
            _ => Finding::blocked(reason, refusal.message),
        };
    }
    if let Some(("False", message)) = condition(pod, "PodScheduled") {
        return Finding::waiting(
            Reason::Starting,
            format!(
                "no node takes the pod: {}",
                message.unwrap_or("no reason given")
            ),
        );
    }
    let why = container
        .and_then(why_waiting)
        .unwrap_or_else(|| "waiting for the engine to answer".to_owned());
    Finding::waiting(Reason::Starting, why)
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
