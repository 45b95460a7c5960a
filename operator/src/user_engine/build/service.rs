//! The engine's address.

use serde_json::json;
use userengine_api::layout::API_PORT;

use super::{Blueprint, pod_selector};
use crate::user_engine::child::{Child, ChildKind};

/// The address that clients use. The internal port is not on it: the operator and monitoring go to the pod.
pub fn cluster_ip(blueprint: &Blueprint<'_>) -> Child {
    let body = json!({
        "spec": {
            "type": "ClusterIP",
            "selector": pod_selector(blueprint.name),
            "ports": [{ "name": "api", "port": 80, "targetPort": API_PORT, "protocol": "TCP" }],
        }
    });
    blueprint.child(ChildKind::Service, blueprint.names().main(), "v1", body)
}

/// What a StatefulSet needs to give its pod a name in DNS.
pub fn headless(blueprint: &Blueprint<'_>) -> Child {
    let body = json!({
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "selector": pod_selector(blueprint.name),
            "ports": [{ "name": "api", "port": API_PORT, "targetPort": API_PORT, "protocol": "TCP" }],
        }
    });
    blueprint.child(ChildKind::Service, blueprint.names().headless(), "v1", body)
}
