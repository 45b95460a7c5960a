//! What one look at the cluster gave: plain values, from which everything else is derived.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::DynamicObject;
use userengine_api::condition::ConditionType;
use userengine_api::key::{KeyError, Kid};
use userengine_api::layout::config_map;
use userengine_api::names::{INITIAL, Names, key_suffix};
use userengine_api::{EngineClass, UserEngine, labels};
use userengine_rotation::verdict::Progress;
use zeroize::Zeroizing;

use super::api_key;
use super::child::{ChildId, ChildKind};
use super::growth::Refused;
use super::inside::Inside;
use crate::cluster::ownership::{Ownership, ownership};
use crate::record::{Record, RecordError};
use crate::seen::EngineName;

/// Everything that a decision about one engine may depend on.
pub struct Observed {
    /// The engine itself.
    pub engine: Arc<UserEngine>,
    /// Every class there is; they are few.
    pub classes: Vec<Arc<EngineClass>>,
    /// The ConfigMaps of the operator's namespace, which classes may name.
    pub platform: Vec<Arc<ConfigMap>>,
    /// The claim of the brain.
    pub claim: Option<PersistentVolumeClaim>,
    /// The key Secrets that the record names, or, before there is a claim, the one that birth will make; by suffix.
    pub keys: BTreeMap<String, KeySecret>,
    /// The Secret with the API key.
    pub api_key: ApiKeySecret,
    /// The disposable children that exist.
    pub children: BTreeMap<ChildId, DynamicObject>,
    /// The engine's pod.
    pub pod: Option<Pod>,
    /// The Events of what the engine waits for. Empty while it waits for nothing.
    pub events: Vec<Event>,
    /// A hash of what bounds the pods of the namespace, while it keeps the engine's from being made; with the time, if it is to be
    /// tried anew though that is the same.
    pub bounds: Option<String>,
    /// What the kubelet looked for in vain is there by now, or what it cannot pull the image with is another since; or the
    /// image is to be tried anew.
    pub found: bool,
    /// The growth of the volume that was refused last.
    pub refused_growth: Option<Refused>,
    /// The namespace whose operator pods may reach an engine from inside.
    pub operator_namespace: String,
    /// What a rotation runs, and who is in its way. Empty while there is none.
    pub rotating: Rotating,
    /// The Job that opens everything once more while the engine sleeps. Empty while there is none.
    pub proving: Rotating,
    /// What the engine said of its keys just now, if a decision needs its word.
    pub proof: Option<Inside>,
    /// How many engines wait before this one to be restarted for what their class has changed, if it has to wait.
    pub waits_behind: Option<usize>,
    /// When all of this had been read.
    pub now: Timestamp,
}

/// What a rotation runs, and who is in its way.
#[derive(Debug, Clone, Default)]
pub struct Rotating {
    /// The Jobs of rotations.
    pub jobs: Vec<Job>,
    /// Their pods.
    pub pods: Vec<Pod>,
    /// Every other pod of the namespace that mounts the claim.
    pub holders: Vec<Pod>,
    /// What the pod that runs says of its progress.
    pub progress: Option<Progress>,
}

impl Observed {
    /// The engine's name.
    pub fn name(&self) -> String {
        self.engine.name_any()
    }

    /// Names of the children.
    pub fn names(&self) -> Names<'_> {
        Names(self.engine.metadata.name.as_deref().unwrap_or_default())
    }

    /// What status says of this condition; `None` if it never did.
    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        let mut all = self.engine.status.as_ref()?.conditions.iter();
        all.find(|condition| condition.type_ == kind.as_str())
    }

    /// The record on the claim, and what the engine remembers of it; `None` if there is no claim.
    pub fn record(&self) -> Option<Result<Record, RecordError>> {
        let claim = self.claim.as_ref()?;
        let record = Record::parse(claim.annotations());
        Some(record.map(|mut record| {
            let is_silent = !claim.annotations().contains_key(labels::INITIALISED);
            let is_born_elsewhere = record.database_id != self.uid();
            record.initialised |= is_silent && is_born_elsewhere || self.remembers_a_brain();
            record
        }))
    }

    /// The engine is Ready, or was once: its status or its settings say so, whichever of them is left.
    fn remembers_a_brain(&self) -> bool {
        let serves = |pod: &Pod| pod.metadata.deletion_timestamp.is_none() && is_ready(pod);
        let status = self.engine.status.as_ref();
        let storage = status.and_then(|status| status.storage.as_ref());
        let mode = self
            .own(ChildKind::ConfigMap)
            .and_then(|settings| settings.data.get("data")?.get(config_map::BRAIN)?.as_str());
        storage.is_some_and(|storage| storage.initialised)
            || mode == Some(config_map::EXISTING)
            || self.pod.as_ref().is_some_and(serves)
    }

    /// The child of this kind that has the engine's name, if it is this engine's. That of a former one stays until the garbage
    /// collector comes by.
    fn own(&self, kind: ChildKind) -> Option<&DynamicObject> {
        let name = self.names().main();
        let live = self.children.get(&ChildId { kind, name })?;
        let whose = ownership(&live.metadata, &self.name(), &self.uid());
        (whose == Ownership::Ours).then_some(live)
    }

    /// The engine's StatefulSet.
    pub fn stateful_set(&self) -> Option<&DynamicObject> {
        self.own(ChildKind::StatefulSet)
    }

    /// The uid of the StatefulSet that the engine's pod is of. One that somebody has made his own runs the engine all the same; that
    /// of a former engine does not.
    pub fn runs_from(&self) -> Option<&str> {
        let (kind, name) = (ChildKind::StatefulSet, self.names().main());
        let live = self.children.get(&ChildId { kind, name })?;
        let whose = ownership(&live.metadata, &self.name(), &self.uid());
        let is_current = whose != Ownership::Former;
        live.metadata.uid.as_deref().filter(|_| is_current)
    }

    /// What the operator remembers of the engine is kept under this: namespace and name.
    pub fn full_name(&self) -> String {
        EngineName::of(&*self.engine).to_string()
    }

    /// The uid of the engine, which a brain born under it carries as its id.
    pub fn uid(&self) -> String {
        self.engine.uid().unwrap_or_default()
    }

    /// The end of the name of the first key's Secret.
    pub fn initial_suffix(&self) -> String {
        key_suffix(&self.uid(), INITIAL)
    }
}

/// The pod's condition of this type, if it has it.
pub fn pod_condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let mut all = pod.status.as_ref()?.conditions.iter().flatten();
    all.find(|condition| condition.type_ == kind)
}

/// The pod's condition `Ready` holds.
pub fn is_ready(pod: &Pod) -> bool {
    pod_condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// A key Secret, without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySecret {
    /// There is none of that name.
    Absent,
    /// It exists.
    Present {
        /// Which one of its name.
        uid: Option<String>,
        /// As it was seen.
        version: Option<String>,
        /// The id of the key it holds, computed from the bytes.
        kid: Result<Kid, KeyError>,
        /// The brain that it says it is for.
        database_id: Option<String>,
        /// Its finalizer is in place.
        held: bool,
        /// It is being deleted.
        terminating: bool,
        /// A backup needs it.
        on_hold: bool,
        /// When it was created.
        created_at: Option<Timestamp>,
    },
}

/// The API-key Secret, without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKeySecret {
    /// There is none.
    Absent,
    /// It belongs to somebody else.
    Foreign,
    /// It is ours.
    Ours(Box<OurApiKey>),
    /// It belongs to a former engine of the same name, and goes with it.
    Former,
}

/// What our API-key Secret holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OurApiKey {
    /// The hash of the key; `None` if it holds no usable one.
    pub key_hash: Option<String>,
    /// The key that is to come, if there is a usable one.
    pub next: Option<NextKey>,
    /// The hashes that it gives the pod.
    pub hashes: String,
    /// What it remembers of rotations.
    pub record: api_key::Record,
    /// The version that was seen.
    pub version: Option<String>,
}

impl OurApiKey {
    /// The hashes that it should give the pod, if this is the key.
    pub fn hashes_with(&self, key_hash: &str) -> String {
        let next = self.next.as_ref().map(|next| next.hash.as_str());
        self.record.hashes(key_hash, next).join(",")
    }
}

/// The API key that is to come. It is needed once, to become the key; its `Debug` shows the hash's first digits only.
#[derive(Clone, PartialEq, Eq)]
pub struct NextKey {
    /// The key.
    pub key: Zeroizing<String>,
    /// Its hash.
    pub hash: String,
}

impl fmt::Debug for NextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NextKey({}…)", api_key::short(&self.hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_key_shows_no_more_than_its_short_name() {
        let next = NextKey {
            key: Zeroizing::new("the-next-key".to_owned()),
            hash: "0123456789".to_owned(),
        };
        assert_eq!(format!("{next:?}"), "NextKey(01234567…)");
    }
}
