//! What keeps an engine from coming up, as kubelet, scheduler and Events tell it.

use k8s_openapi::api::core::v1::{Container, Event, Pod};

mod over;
mod said;
mod situations;

pub use self::situations::situations;
use super::*;
use crate::user_engine::build::CONTAINER;
use crate::user_engine::fixtures::{set_of, told};

fn waiting(reason: &str, message: &str) -> Value {
    json!({ "waiting": { "reason": reason, "message": message } })
}

fn ended(reason: &str, code: i32, seconds: i64) -> Value {
    let time = |second| jiff::Timestamp::from_second(second).unwrap().to_string();
    json!({ "terminated": {
        "reason": reason, "exitCode": code, "startedAt": time(100), "finishedAt": time(100 + seconds),
    } })
}

/// The engine's container, as the pod asks for it.
fn engines(pod: &mut Pod) -> &mut Container {
    let mut all = pod.spec.as_mut().unwrap().containers.iter_mut();
    all.find(|it| it.name == CONTAINER).unwrap()
}

fn with(state: &Value, last: &Value, restarts: i32) -> World {
    let mut world = alive().container(state, last);
    let pod = world.0.pod.as_mut().unwrap();
    let limits = json!({ "limits": { "memory": "64Mi" } });
    engines(pod).resources = serde_json::from_value(limits).unwrap();
    let status = pod
        .status
        .as_mut()
        .unwrap()
        .container_statuses
        .as_mut()
        .unwrap();
    let status = status.iter_mut().find(|it| it.name == CONTAINER).unwrap();
    status.restart_count = restarts;
    status.started = Some(false);
    world
}

/// The scheduler's words for a cluster of so many nodes, of which so many are too small.
fn unscheduled(nodes: u8, small: u8) -> World {
    let message = format!(
        "0/{nodes} nodes are available: {small} Insufficient memory. preemption: 0/{nodes} nodes are available: {small} No preemption victims found for incoming pod."
    );
    alive().pod(&json!({ "conditions": [
        { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message },
    ] }))
}

fn creating(events: Vec<Event>) -> World {
    let mut world = alive().container(&waiting("ContainerCreating", ""), &json!({}));
    world.0.events = events;
    world
}

fn refused(events: Vec<Event>) -> World {
    let mut world = set_of(alive());
    world.0.events = events;
    world
}

const QUOTA: &str = r#"create Pod alice-0 in StatefulSet alice failed error: pods "alice-0" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3"#;

fn unheard_of() -> World {
    cut_off(alive())
}

/// The node of its pod does not answer any more.
pub fn cut_off(world: World) -> World {
    let mut world = world.container(&json!({ "running": {} }), &json!({}));
    let status = world.0.pod.as_mut().unwrap().status.as_mut().unwrap();
    status.conditions =
        serde_json::from_value(json!([{ "type": "Ready", "status": "False" }])).unwrap();
    status.container_statuses.as_mut().unwrap()[1].ready = true;
    world
}

fn unprovisioned() -> World {
    let said = r#"storageclass.storage.k8s.io "fast" not found"#;
    let mut world = alive().claim_phase("Pending");
    world.0.events = vec![
        told("ProvisioningFailed", said, 10),
        told("ExternalProvisioning", "Waiting for a volume", 12),
    ];
    world
}
