//! The walls around an engine's pods stand until the last of them is gone, without anybody waiting for it: the garbage
//! collector takes a child when all of its owners are gone, and so the pods become owners of their walls.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::{Value, json};
use userengine_api::names::Names;
use userengine_api::{UserEngine, labels};

use super::Error;
use crate::cluster::ownership::{Ownership, ownership};
use crate::cluster::{WriteError, Writer};
use crate::user_engine::Context;
use crate::user_engine::child::ChildKind;

/// Hands the walls to the pods behind them. Where the cluster forbids that, they go with the engine.
pub async fn keep(context: &Context, writer: &Writer, engine: &UserEngine) -> Result<(), Error> {
    let pods = pods(context, engine).await?;
    if pods.is_empty() {
        return Ok(());
    }
    let namespace = engine.namespace().unwrap_or_default();
    let (kind, resource) = (
        ChildKind::NetworkPolicy.as_str(),
        ChildKind::NetworkPolicy.resource(),
    );
    let walls: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), &namespace, &resource);
    let name = engine.name_any();
    for name in [Names(&name).main(), Names(&name).rotation()] {
        let live = walls.get_opt(&name).await.map_err(|source| Error::Read {
            what: "the walls",
            source,
        })?;
        let Some(live) = live.filter(|live| is_ours(live, engine)) else {
            continue;
        };
        let Some(owned) = owned(&live, &pods) else {
            continue;
        };
        match writer.replace(&resource, kind, &live, &owned).await {
            Err(WriteError::Refused { message, .. }) => {
                tracing::warn!(
                    namespace,
                    engine = engine.name_any(),
                    message,
                    "the walls go before the pods"
                );
            }
            other => other?,
        }
    }
    Ok(())
}

async fn pods(context: &Context, engine: &UserEngine) -> Result<Vec<Pod>, Error> {
    let namespace = engine.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let ours = format!("{}={}", labels::ENGINE, engine.name_any());
    let found = api.list(&ListParams::default().labels(&ours)).await;
    let found = found.map_err(|source| Error::Read {
        what: "the pods",
        source,
    })?;
    Ok(found.items)
}

fn is_ours(live: &DynamicObject, engine: &UserEngine) -> bool {
    let uid = engine.uid().unwrap_or_default();
    ownership(&live.metadata, &engine.name_any(), &uid) == Ownership::Ours
}

/// The walls, owned by these pods besides; `None` if they are.
fn owned(live: &DynamicObject, pods: &[Pod]) -> Option<Value> {
    let before = live.owner_references();
    let new = pods.iter().filter(|pod| {
        before
            .iter()
            .all(|owner| Some(&owner.uid) != pod.metadata.uid.as_ref())
    });
    let new: Vec<_> = new
        .map(|pod| json!({ "apiVersion": "v1", "kind": "Pod", "name": pod.name_any(), "uid": pod.uid() }))
        .collect();
    if new.is_empty() {
        return None;
    }
    let mut object = serde_json::to_value(live).ok()?;
    let owners = object.pointer_mut("/metadata/ownerReferences")?;
    owners.as_array_mut()?.extend(new);
    Some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str) -> Pod {
        serde_json::from_value(json!({ "metadata": { "name": "alice-0", "uid": uid } })).unwrap()
    }

    #[test]
    fn the_walls_get_each_pod_as_an_owner_once_and_keep_the_engine() {
        let engine = json!({
            "apiVersion": "userengine.dev/v1alpha1", "kind": "UserEngine", "name": "alice", "uid": "engine", "controller": true,
        });
        let live: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "name": "alice", "ownerReferences": [engine] }, "spec": { "egress": [] },
        }))
        .unwrap();
        let once = owned(&live, &[pod("1")]).unwrap();
        let uids = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"].as_array().unwrap();
            let uids = owners
                .iter()
                .map(|owner| owner["uid"].as_str().unwrap().to_owned());
            uids.collect::<Vec<_>>()
        };
        assert_eq!(uids(&once), ["engine", "1"]);
        assert_eq!(once["spec"], live.data["spec"]);
        let live: DynamicObject = serde_json::from_value(once).unwrap();
        assert_eq!(owned(&live, &[pod("1")]), None);
        assert_eq!(
            uids(&owned(&live, &[pod("1"), pod("2")]).unwrap()),
            ["engine", "1", "2"]
        );
    }
}
