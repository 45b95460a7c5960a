//! Plays the controllers and the kubelet for a cluster that has none: claims are bound, StatefulSets get their pod, and pods
//! come up by stages. Nothing runs.

use std::fmt::Debug;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::Resource;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use userengine_api::layout::INTERNAL_PORT;

/// Objects that are worked on at once.
const AT_ONCE: usize = 32;

/// Plays until it is dropped.
pub struct Nodes(#[expect(dead_code, reason = "its end is the end of the tasks")] JoinSet<()>);

/// Begins to play. All pods have this address.
pub fn play(client: &Client, address: Ipv4Addr) -> Nodes {
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(client.clone(), bind));
    let scale = move |client, set| scale(client, set, address);
    tasks.spawn(follow(client.clone(), scale));
    Nodes(tasks)
}

/// Does this for each object of a kind whenever it changes.
async fn follow<K, F>(client: Client, act: impl Fn(Client, K) -> F)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    F: Future<Output = anyhow::Result<()>>,
{
    let objects = watcher(Api::<K>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .applied_objects();
    objects
        .filter_map(|object| async { object.ok() })
        .for_each_concurrent(AT_ONCE, |object| async {
            if let Err(error) = act(client.clone(), object).await {
                eprintln!("    a simulated controller failed: {error:#}");
            }
        })
        .await;
}

/// As the volume's provisioner does.
async fn bind(client: Client, claim: PersistentVolumeClaim) -> anyhow::Result<()> {
    let phase = claim.status.as_ref().and_then(|it| it.phase.as_deref());
    if phase == Some("Bound") {
        return Ok(());
    }
    let asked = claim.spec.as_ref().and_then(|it| it.resources.clone());
    let status = json!({
        "phase": "Bound",
        "accessModes": claim.spec.as_ref().and_then(|it| it.access_modes.clone()),
        "capacity": asked.and_then(|it| it.requests),
    });
    say(&client, &claim, status).await
}

/// As the controller of StatefulSets, the scheduler and the kubelet do, one after the other.
async fn scale(client: Client, set: StatefulSet, address: Ipv4Addr) -> anyhow::Result<()> {
    let spec = set.spec.as_ref().context("a StatefulSet has a spec")?;
    let ready = set.status.as_ref().and_then(|it| it.ready_replicas);
    match (spec.replicas, ready) {
        (Some(1), None | Some(0)) => run_pod(client, set, address).await,
        (Some(0), Some(1)) => end_pod(client, set).await,
        _ => Ok(()),
    }
}

async fn run_pod(client: Client, set: StatefulSet, address: Ipv4Addr) -> anyhow::Result<()> {
    let namespace = set.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let pod = match pods.create(&PostParams::default(), &pod_of(&set)?).await {
        Ok(pod) => pod,
        Err(kube::Error::Api(status)) if status.code == 409 => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for stage in stages(&pod, address) {
        say(&client, &pod, stage).await?;
    }
    let up = json!({ "replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1,
        "observedGeneration": set.metadata.generation });
    say(&client, &set, up).await
}

async fn end_pod(client: Client, set: StatefulSet) -> anyhow::Result<()> {
    let namespace = set.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let at_once = DeleteParams::default().grace_period(0);
    pods.delete(&pod_name(&set), &at_once).await?;
    let down = json!({ "replicas": 0, "readyReplicas": 0, "currentReplicas": 0, "updatedReplicas": 0,
        "observedGeneration": set.metadata.generation });
    say(&client, &set, down).await
}

fn pod_name(set: &StatefulSet) -> String {
    format!("{}-0", set.name_any())
}

/// The pod of a StatefulSet, on a node that does not exist.
fn pod_of(set: &StatefulSet) -> anyhow::Result<Pod> {
    let template = set.spec.as_ref().map(|spec| &spec.template);
    let template = template.context("a StatefulSet has a template")?;
    let mut pod = json!({
        "metadata": template.metadata,
        "spec": template.spec,
    });
    let owner = json!([{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": set.name_any(), "uid": set.uid(),
        "controller": true, "blockOwnerDeletion": true }]);
    let changes = json!({
        "metadata": { "name": pod_name(set), "ownerReferences": owner },
        "spec": { "nodeName": "simulated" },
    });
    json_patch::merge(&mut pod, &changes);
    Ok(serde_json::from_value(pod)?)
}

/// Scheduled, running, ready: what a kubelet says of a pod that comes up.
fn stages(pod: &Pod, address: Ipv4Addr) -> [Value; 3] {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    let name = container.map(|it| it.name.clone()).unwrap_or_default();
    let image = container.and_then(|it| it.image.clone());
    let conditions = |ready: &str| {
        json!([
            { "type": "PodScheduled", "status": "True" },
            { "type": "Ready", "status": ready },
        ])
    };
    let running = |ready: bool| {
        json!([{ "name": name, "image": image, "imageID": "simulated", "restartCount": 0, "ready": ready, "started": true,
            "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } } }])
    };
    let address = address.to_string();
    [
        json!({ "phase": "Pending", "conditions": conditions("False") }),
        json!({ "phase": "Running", "conditions": conditions("False"), "containerStatuses": running(false),
            "podIP": address, "podIPs": [{ "ip": address }] }),
        json!({ "phase": "Running", "conditions": conditions("True"), "containerStatuses": running(true),
            "podIP": address, "podIPs": [{ "ip": address }] }),
    ]
}

async fn say<K>(client: &Client, object: &K, status: Value) -> anyhow::Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let patch = Patch::Merge(json!({ "status": status }));
    api.patch_status(&object.name_any(), &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

/// Says for every engine, on its internal port, what engines say of themselves: all of them have this address of the machine.
/// Once for all fleets.
pub fn answer_for_engines(address: Ipv4Addr) -> anyhow::Result<()> {
    let listener = TcpListener::bind((address, INTERNAL_PORT))
        .with_context(|| format!("{address}:{INTERNAL_PORT} is taken: end what listens there"))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever asked may have gone.
            let _gone = answer(stream);
        }
    });
    Ok(())
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut head = [0; 1024];
    let _length = stream.read(&mut head)?;
    let body = json!({ "version": "simulated", "write_kid": "0".repeat(16) }).to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
