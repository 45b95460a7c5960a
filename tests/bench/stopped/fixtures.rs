//! A small template for the tests of this part.

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{ApiResource, DynamicObject};
use kube::core::Resource;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use userengine_api::UserEngine;
use userengine_api::hex::hex;
use userengine_api::names::{INITIAL, key_suffix};

use super::copies::Copies;
use super::mould::Mould;
use super::recorder::Written;
use super::template::{Template, WORKSPACE};
use crate::by_hand::TEMPLATE;

/// Of the template's engine.
pub const UID: &str = "8b1e7c1e-0000-4000-8000-000000000001";

/// What the operator would apply for the `ConfigMap` of an engine.
pub fn applied(name: &str, namespace: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name, "namespace": namespace, "labels": { "of": name },
            "ownerReferences": [{ "apiVersion": "v1", "kind": "UserEngine", "name": name, "uid": uid, "controller": true }],
        },
        "data": { "url": format!("https://{name}.{namespace}"), "key": key_suffix(uid, INITIAL) },
    })
}

/// The hash that the operator keeps of it.
pub fn stamp(applied: &Value) -> String {
    let digest = digest(&SHA256, applied.to_string().as_bytes());
    hex(digest.as_ref().iter().take(8))
}

/// An engine with a `ConfigMap` and two Services.
pub fn template() -> Template {
    let engine = json!({
        "metadata": { "name": TEMPLATE, "namespace": WORKSPACE, "uid": UID, "resourceVersion": "7" },
        "spec": { "user": TEMPLATE, "suspended": true },
        "status": { "phase": "Suspended", "settled": "0123456789abcdef", "url": "https://x" },
    });
    let mut written = applied(TEMPLATE, WORKSPACE, UID);
    let stamped =
        json!({ "metadata": { "annotations": { "userengine.dev/applied": stamp(&written) } } });
    json_patch::merge(&mut written, &stamped);
    let mut config_map = written.clone();
    let read = json!({ "metadata": { "uid": "c-1", "resourceVersion": "7" } });
    json_patch::merge(&mut config_map, &read);
    let service = |name: &str| json!({ "metadata": { "name": name, "namespace": WORKSPACE, "uid": format!("uid of {name}"), "resourceVersion": "7" } });
    Template {
        objects: vec![
            object::<UserEngine>(engine),
            object::<ConfigMap>(config_map),
            object::<Service>(service(&format!("{TEMPLATE}-headless"))),
            object::<Service>(service(TEMPLATE)),
        ],
        written: Written::from([(("ConfigMap".to_owned(), TEMPLATE.to_owned()), written)]),
        class: json!({ "metadata": { "name": "bench" } }),
    }
}

fn object<K: Resource<DynamicType = ()>>(object: Value) -> (ApiResource, DynamicObject) {
    (
        ApiResource::erase::<K>(&()),
        serde_json::from_value(object).unwrap(),
    )
}

/// So many copies of it.
pub fn copies(size: usize) -> Copies {
    Copies::new(Mould::all(&template()).unwrap(), size)
}
