//! What keeps the engine's container from running, as the kubelet tells it in the pod's status.

use k8s_openapi::api::core::v1::{
    Container, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod,
};
use kube::ResourceExt;
use userengine_api::condition::Reason;

use super::Finding;
use super::quote::quoted;
use crate::user_engine::build::CONTAINER;

/// Seconds that a container must run for the kubelet to forget its former ends
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>).
const WELL_AGAIN: i64 = 600;

/// Why it does not run, if it will not without somebody's help. `before` is what was said of it last.
pub fn trouble(pod: &Pod, container: &ContainerStatus, before: Option<&str>) -> Option<Finding> {
    waiting(container)
        .and_then(|waiting| image(pod, waiting, before).or_else(|| config(waiting, before)))
        .or_else(|| out_of_memory(pod, container))
        .or_else(|| crash_loop(pod, container, before))
}

/// Tries and the waits between them say the same in different words.
fn image(pod: &Pod, waiting: &ContainerStateWaiting, before: Option<&str>) -> Option<Finding> {
    let reason = waiting.reason.as_deref().filter(|it| is_of_image(it))?;
    let image = engine_container(pod).and_then(|container| container.image.as_deref());
    let own = without_image(image.unwrap_or_default());
    let said = waiting.message.as_deref().unwrap_or(reason);
    let said = said.rsplit("ErrImagePull: ").next().unwrap_or(said);
    // Kubelets of old do not repeat the cause.
    let known = before.filter(|it| it.starts_with(&own) && said.starts_with("Back-off"));
    let message = known.map_or_else(|| quoted(before, &own, said), str::to_owned);
    Some(Finding::blocked(Reason::ImagePullFailed, message))
}

/// How it is told that this image cannot be had, before the kubelet's words.
pub fn without_image(image: &str) -> String {
    format!("the image '{image}' cannot be had")
}

/// The image that the engine's container waits for, and that another try may bring.
pub fn image_that_lacks(pod: &Pod) -> Option<&str> {
    let reason = waits_for_image(pod)?;
    let is_wrong = matches!(reason, "InvalidImageName" | "ErrImageNeverPull");
    engine_container(pod)?
        .image
        .as_deref()
        .filter(|_| !is_wrong)
}

/// The image that the engine's container was made from, unless the next one waits for it.
pub fn image_that_is_there(pod: &Pod) -> Option<&str> {
    let is_there = !status(pod)?.image_id.is_empty() && waits_for_image(pod).is_none();
    engine_container(pod)?.image.as_deref().filter(|_| is_there)
}

/// The kubelet's reason, if the engine's container waits because of its image.
pub fn waits_for_image(pod: &Pod) -> Option<&str> {
    let reason = waiting(status(pod)?)?.reason.as_deref();
    reason.filter(|reason| is_of_image(reason))
}

/// Every other trouble of a kubelet's has a word of its own: a sentence is what its way to the image came to, such as credentials that
/// it cannot read.
fn is_of_image(reason: &str) -> bool {
    let is_known = matches!(
        reason,
        "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed"
    );
    is_known || reason.contains(' ')
}

fn config(waiting: &ContainerStateWaiting, before: Option<&str>) -> Option<Finding> {
    let reason = waiting.reason.as_deref()?;
    if !matches!(
        reason,
        "CreateContainerConfigError" | "CreateContainerError"
    ) {
        return None;
    }
    let said = waiting.message.as_deref().unwrap_or(reason);
    let message = quoted(
        before,
        "the container cannot be made as its pod describes it",
        said,
    );
    Some(Finding::blocked(Reason::ContainerConfigError, message))
}

fn out_of_memory(pod: &Pod, container: &ContainerStatus) -> Option<Finding> {
    let ended = last_end(container)?;
    let began_in_vain = ended.message.as_deref().is_some_and(is_out_of_memory);
    if ended.reason.as_deref() != Some("OOMKilled") && !(began_in_vain && never_ran(ended)) {
        return None;
    }
    Some(too_little_memory(pod))
}

/// What surrounds the container cannot be made: its network, its runtime, or room to begin.
pub fn without_sandbox(pod: &Pod, said: &str, before: Option<&str>) -> Finding {
    if is_out_of_memory(said) {
        return too_little_memory(pod);
    }
    let own = "the node cannot make the pod's sandbox";
    Finding::blocked(Reason::SandboxFailed, quoted(before, own, said))
}

/// The runtime's words if there is not even room to begin.
fn is_out_of_memory(said: &str) -> bool {
    said.contains("OOM-killed")
}

fn too_little_memory(pod: &Pod) -> Finding {
    let limits =
        engine_container(pod).and_then(|container| container.resources.as_ref()?.limits.as_ref());
    let limit = limits.and_then(|limits| limits.get("memory"));
    let limit = limit.map_or("none, so the node has too little", |limit| limit.0.as_str());
    Finding::blocked(
        Reason::OutOfMemory,
        format!(
            "the engine was ended because it needs more memory than it may have (limit: {limit}): raise resources.limits.memory"
        ),
    )
}

/// The same from one end to the next, whether it waits or is at its next try.
fn crash_loop(pod: &Pod, container: &ContainerStatus, before: Option<&str>) -> Option<Finding> {
    let waiting = waiting(container);
    let backs_off = waiting
        .and_then(|it| it.reason.as_deref())
        .is_some_and(|it| matches!(it, "CrashLoopBackOff" | "RunContainerError"));
    let ended = last_end(container);
    if !backs_off && !ended.is_some_and(|end| container.restart_count >= 2 && was_short(end)) {
        return None;
    }
    let message = match ended {
        Some(end) if never_ran(end) => quoted(
            before,
            "the container cannot be started",
            end.message.as_deref().unwrap_or("no message"),
        ),
        Some(end) => format!(
            "the engine ends with exit code {} each time it is started: `kubectl logs {} --previous` shows its last words",
            end.exit_code,
            pod.name_any()
        ),
        None => quoted(
            before,
            "the container cannot be started",
            waiting
                .and_then(|it| it.message.as_deref())
                .unwrap_or("no message"),
        ),
    };
    Some(Finding::blocked(Reason::CrashLoop, message))
}

/// How it ended last, if it has not come to anything since.
pub fn last_end(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let former = container.last_state.as_ref();
    let former = former.filter(|_| container.started != Some(true));
    let states = [container.state.as_ref(), former];
    states
        .into_iter()
        .flatten()
        .find_map(|state| state.terminated.as_ref())
}

/// The runtime could not begin it; then the message is the runtime's and not the engine's.
fn never_ran(end: &ContainerStateTerminated) -> bool {
    matches!(
        end.reason.as_deref(),
        Some("StartError" | "ContainerCannotRun")
    )
}

fn was_short(end: &ContainerStateTerminated) -> bool {
    let times = end.started_at.as_ref().zip(end.finished_at.as_ref());
    times.is_none_or(|(from, to)| to.0.duration_since(from.0).as_secs() < WELL_AGAIN)
}

/// The engine's container, as the kubelet describes it.
pub fn status(pod: &Pod) -> Option<&ContainerStatus> {
    let mut all = pod.status.as_ref()?.container_statuses.iter().flatten();
    all.find(|container| container.name == CONTAINER)
}

/// What it waits for, as the kubelet says, if it does not run.
pub fn waiting(container: &ContainerStatus) -> Option<&ContainerStateWaiting> {
    container.state.as_ref()?.waiting.as_ref()
}

/// The engine's container, as it was asked for.
pub fn engine_container(pod: &Pod) -> Option<&Container> {
    let mut containers = pod.spec.as_ref()?.containers.iter();
    containers.find(|container| container.name == CONTAINER)
}
