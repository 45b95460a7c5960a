//! Situations to test decisions on: `world().claimed().with_key().running()` reads as it happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Value, json};
use userengine_api::key::{EncryptionKey, KeyError, Kid};
use userengine_api::names::{INITIAL, key_suffix};
use userengine_api::status::StorageInfo;
use userengine_api::{EngineClass, UserEngine, UserEngineSpec, labels};
use userengine_rotation::ledger::{Key, KeyState, Ledger};

use super::assess::{Assessment, assess};
use super::build::CONTAINER;
use super::child::{ChildId, ChildKind};
use super::observed::{ApiKeySecret, KeySecret, Observed, OurApiKey, Rotating};
use super::plan::{Plan, Step, plan};
use crate::record::Record;

/// The uid of the engine, and so the id of a brain that is born under it.
pub const UID: &str = "0c9a5e1e-0000-4000-8000-000000000001";
/// The user.
pub const USER: &str = "alice@example.com";

/// What was observed, in the making.
pub struct World(pub Observed);

/// An engine that was just created, and a class for it that is the default.
pub fn world() -> World {
    let mut engine = UserEngine::new("alice", spec(&json!({ "user": USER })));
    engine.metadata.namespace = Some("acme".to_owned());
    engine.metadata.uid = Some(UID.to_owned());
    engine.metadata.generation = Some(1);
    engine.metadata.finalizers = Some(vec![labels::ENGINE_FINALIZER.to_owned()]);
    World(Observed {
        engine: Arc::new(engine),
        classes: vec![Arc::new(class("standard", true, &json!({})))],
        platform: Vec::new(),
        claim: None,
        keys: BTreeMap::new(),
        api_key: ApiKeySecret::Absent,
        children: BTreeMap::new(),
        pod: None,
        events: Vec::new(),
        bounds: None,
        found: false,
        refused_growth: None,
        operator_namespace: "userengine-system".to_owned(),
        rotating: Rotating::default(),
        proving: Rotating::default(),
        proof: None,
        waits_behind: None,
        now: Timestamp::UNIX_EPOCH,
    })
}

fn spec(value: &Value) -> UserEngineSpec {
    serde_json::from_value(value.clone()).unwrap()
}

/// A class with these fields of its spec beside the image.
pub fn class(name: &str, is_default: bool, fields: &Value) -> EngineClass {
    let mut object = json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "EngineClass",
        "metadata": { "name": name, "annotations": { labels::DEFAULT_CLASS: is_default.to_string() } },
        "spec": { "image": "registry.example.com/engine:1" },
    });
    json_patch::merge(&mut object["spec"], fields);
    serde_json::from_value(object).unwrap()
}

/// A key, always the same for the same number.
pub fn key(number: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([number; 32])
}

/// The end of the name of the first key's Secret.
pub fn suffix() -> String {
    key_suffix(UID, INITIAL)
}

/// The record of a brain of [`USER`], sealed with key 1.
pub fn record() -> Record {
    Record {
        database_id: UID.to_owned(),
        user: USER.to_owned(),
        class: "standard".to_owned(),
        ledger: Ledger::born(key(1).kid(), suffix()),
        initialised: false,
    }
}

fn annotations(record: &Record) -> BTreeMap<&'static str, String> {
    let all = record.annotations().into_iter();
    all.filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// The Secret of key 1, as it should be.
pub fn key_secret() -> KeySecret {
    holding(Ok(key(1).kid()))
}

/// The first key's Secret with another content.
pub fn holding(kid: Result<Kid, KeyError>) -> KeySecret {
    KeySecret::Present {
        uid: Some("key-1".to_owned()),
        version: Some("5".to_owned()),
        kid,
        database_id: Some(UID.to_owned()),
        held: true,
        terminating: false,
        on_hold: false,
        created_at: Some(Timestamp::UNIX_EPOCH),
    }
}

/// An API-key Secret, as it should be.
pub fn api_key() -> OurApiKey {
    OurApiKey {
        key_hash: Some("ab".to_owned()),
        hashes: "ab".to_owned(),
        version: Some("3".to_owned()),
        ..OurApiKey::default()
    }
}

/// The end of the name of the second key's Secret.
pub const SECOND: &str = "0123456789";

/// The record of a brain that rotation `r-1` takes from key 1 to key 2, in this phase.
pub fn rotating_record(phase: &str) -> Record {
    let mut record = Record {
        initialised: true,
        ..record()
    };
    let open = json!({
        "id": "r-1", "mode": "Normal", "suffix": SECOND, "phase": phase, "attempt": 1, "started": 60, "since": 60,
    });
    record.ledger.open = Some(serde_json::from_value(open).unwrap());
    if phase != "Minting" {
        record.ledger.keys.push(Key {
            kid: key(2).kid(),
            state: KeyState::Staged,
            suffix: SECOND.to_owned(),
        });
    }
    record
}

/// The engine of that brain.
pub fn rotating(phase: &str) -> World {
    let World(mut seen) = world()
        .claimed_with(&rotating_record(phase))
        .with_key()
        .with_api_key();
    let secret = holding(Ok(key(2).kid()));
    seen.keys.insert(SECOND.to_owned(), secret);
    seen.now = Timestamp::from_second(70).unwrap();
    World(seen)
}

/// The time at which things that are being deleted began to be.
pub fn long_ago() -> Time {
    Time(Timestamp::UNIX_EPOCH)
}

/// The engine's copy of the catalog is in line, and was written at this time.
pub fn catalog_written(mut world: World, time: &str) -> World {
    for step in world.plan().steps {
        if let Step::Apply(child) = step
            && child.id.name == "alice-catalog"
        {
            let mut object = child.object.clone();
            object["metadata"]["managedFields"] = json!([
                { "manager": labels::MANAGER, "operation": "Update", "time": time },
            ]);
            let live = serde_json::from_value(object).unwrap();
            world.0.children.insert(child.id, live);
        }
    }
    world
}

/// Its StatefulSet is there, with a replica and a uid.
pub fn set_of(mut world: World) -> World {
    let id = ChildId {
        kind: ChildKind::StatefulSet,
        name: "alice".to_owned(),
    };
    let owner = json!({ "apiVersion": "userengine.dev/v1alpha1", "kind": "UserEngine", "name": "alice", "uid": UID, "controller": true });
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": { "name": "alice", "namespace": "acme", "uid": "set-1", "ownerReferences": [owner] },
        "spec": { "replicas": 1, "template": { "spec": { "containers": [] } } },
    });
    let set = serde_json::from_value(set).unwrap();
    world.0.children.insert(id, set);
    world
}

/// An Event of this reason, that many seconds after the beginning of time.
pub fn told(reason: &str, message: &str, second: i64) -> Event {
    let time = Timestamp::from_second(second).unwrap().to_string();
    let event = json!({
        "metadata": {}, "involvedObject": {}, "reason": reason, "message": message,
        "firstTimestamp": "1970-01-01T00:00:01Z", "lastTimestamp": time, "count": 3,
    });
    serde_json::from_value(event).unwrap()
}

impl World {
    /// Its pod has no node.
    pub fn unplaced(mut self) -> Self {
        self.0
            .pod
            .as_mut()
            .unwrap()
            .spec
            .as_mut()
            .unwrap()
            .node_name = None;
        self
    }

    /// Its first key was made.
    pub fn with_key(self) -> Self {
        self.with_key_secret(key_secret())
    }

    /// The Secret of its first key is like this.
    pub fn with_key_secret(mut self, secret: KeySecret) -> Self {
        self.0.keys.insert(suffix(), secret);
        self
    }

    /// Its volume is claimed and bound.
    pub fn claimed(self) -> Self {
        self.claimed_with(&record())
    }

    /// Its volume is claimed and bound, with this record.
    pub fn claimed_with(mut self, record: &Record) -> Self {
        let common = json!({
            labels::ENGINE: "alice",
            labels::NAME: labels::NAME_VALUE,
            labels::INSTANCE: "alice",
            labels::MANAGED_BY: labels::MANAGER,
        });
        let claim = json!({
            "metadata": {
                "name": "alice-brain",
                "resourceVersion": "7",
                "labels": common,
                "annotations": annotations(record),
                "finalizers": [labels::CLAIM_FINALIZER],
            },
            "spec": { "resources": { "requests": { "storage": "1Gi" } } },
            "status": { "phase": "Bound", "capacity": { "storage": "1Gi" } },
        });
        self.0.claim = Some(serde_json::from_value(claim).unwrap());
        self
    }

    /// The claim is different in this.
    pub fn claim(mut self, change: impl FnOnce(&mut PersistentVolumeClaim)) -> Self {
        change(self.0.claim.as_mut().unwrap());
        self
    }

    /// The claim is in this phase.
    pub fn claim_phase(self, phase: &str) -> Self {
        self.claim(|claim| claim.status.as_mut().unwrap().phase = Some(phase.to_owned()))
    }

    /// Its API key was made.
    pub fn with_api_key(mut self) -> Self {
        self.0.api_key = ApiKeySecret::Ours(Box::new(api_key()));
        self
    }

    /// Its pod serves.
    pub fn running(self) -> Self {
        self.pod(&json!({ "conditions": [{ "type": "Ready", "status": "True" }] }))
    }

    /// Its pod was created at this time.
    pub fn created(mut self, time: &str) -> Self {
        let time = Time(time.parse().unwrap());
        self.0.pod.as_mut().unwrap().metadata.creation_timestamp = Some(time);
        self
    }

    /// Its pod is being deleted.
    pub fn going(mut self) -> Self {
        self.0.pod.as_mut().unwrap().metadata.deletion_timestamp = Some(long_ago());
        self
    }

    /// Its pod has this status.
    pub fn pod(mut self, status: &Value) -> Self {
        let pod = json!({
            "metadata": { "name": "alice-0", "uid": "pod-1" },
            "spec": {
                "nodeName": "node-1",
                "containers": [
                    { "name": "sidecar", "image": "sidecar:1" },
                    { "name": CONTAINER, "image": "registry.example.com/engine:1" },
                ],
            },
            "status": status,
        });
        self.0.pod = Some(serde_json::from_value(pod).unwrap());
        self
    }

    /// Its engine's container is in these states.
    pub fn container(self, state: &Value, last_state: &Value) -> Self {
        self.pod(&json!({ "containerStatuses": [
            { "name": "sidecar", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": {} },
            { "name": CONTAINER, "image": "", "imageID": "", "ready": false, "restartCount": 1, "state": state, "lastState": last_state },
        ] }))
    }

    /// Its engine ended with this termination message.
    pub fn ended(self, message: &str) -> Self {
        self.container(
            &json!({ "terminated": { "exitCode": 66, "message": message } }),
            &json!({}),
        )
    }

    /// The engine is different in this.
    pub fn engine(mut self, change: impl FnOnce(&mut UserEngine)) -> Self {
        change(Arc::get_mut(&mut self.0.engine).unwrap());
        self
    }

    /// These fields of its spec are set besides.
    pub fn spec(self, fields: &Value) -> Self {
        self.engine(|engine| {
            let mut all = serde_json::to_value(&engine.spec).unwrap();
            json_patch::merge(&mut all, fields);
            engine.spec = spec(&all);
        })
    }

    /// Somebody asked to stop it.
    pub fn suspended(self) -> Self {
        self.spec(&json!({ "suspended": true }))
    }

    /// Somebody asked that nothing of it be changed, in this word.
    pub fn annotated_paused(self, value: &str) -> Self {
        self.engine(|engine| {
            let annotations = engine.annotations_mut();
            annotations.insert(labels::PAUSED.to_owned(), value.to_owned());
        })
    }

    /// The same, in the word that counts.
    pub fn paused(self) -> Self {
        self.annotated_paused("true")
    }

    /// Its status says that it had a volume.
    pub fn had_storage(self) -> Self {
        self.engine(|engine| {
            let storage = StorageInfo {
                claim: "alice-brain".to_owned(),
                size: None,
            };
            engine.status.get_or_insert_default().storage = Some(storage);
        })
    }

    /// Its class says this besides.
    pub fn class(self, fields: &Value) -> Self {
        self.classes([class("standard", true, fields)])
    }

    /// These are all the classes.
    pub fn classes(mut self, classes: impl IntoIterator<Item = EngineClass>) -> Self {
        self.0.classes = classes.into_iter().map(Arc::new).collect();
        self
    }

    /// The operator's namespace has this ConfigMap.
    pub fn config_map(mut self, name: &str, data: &Value) -> Self {
        let object = json!({ "metadata": { "name": name }, "data": data });
        let config_map = serde_json::from_value(object).unwrap();
        self.0.platform.retain(|other| other.name_any() != name);
        self.0.platform.push(Arc::new(config_map));
        self
    }

    /// Its children are as they should be.
    pub fn with_children(mut self) -> Self {
        for step in self.plan().steps {
            if let Step::Apply(child) = step {
                let live = serde_json::from_value(child.object).unwrap();
                self.0.children.insert(child.id, live);
            }
        }
        self
    }

    /// What it means.
    pub fn assess(&self) -> Assessment {
        assess(&self.0)
    }

    /// What to do.
    pub fn plan(&self) -> Plan {
        plan(&self.0, &self.assess())
    }
}
