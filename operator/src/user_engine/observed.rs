//! What one look at the cluster gave: plain values, from which everything else is derived.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::DynamicObject;
use userengine_api::key::{KeyError, Kid};
use userengine_api::names::{INITIAL, Names, key_suffix};
use userengine_api::{EngineClass, UserEngine};
use userengine_rotation::verdict::Progress;

use super::child::ChildId;
use super::inside::Inside;
use crate::record::{Record, RecordError};

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
    /// The namespace whose operator pods may reach an engine from inside.
    pub operator_namespace: String,
    /// What a rotation runs, and who is in its way. Empty while there is none.
    pub rotating: Rotating,
    /// The Job that opens everything once more while the engine sleeps. Empty while there is none.
    pub proving: Rotating,
    /// What the engine said of its keys just now, if it was asked for proof.
    pub proof: Option<Inside>,
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

    /// The record on the claim; `None` if there is no claim.
    pub fn record(&self) -> Option<Result<Record, RecordError>> {
        self.claim
            .as_ref()
            .map(|claim| Record::parse(claim.annotations()))
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

/// A key Secret, without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySecret {
    /// There is none of that name.
    Absent,
    /// It exists.
    Present {
        /// Which one of its name.
        uid: Option<String>,
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
    Ours {
        /// The hash of the key it holds; `None` if it holds no usable key.
        key_hash: Option<String>,
        /// The hashes that it gives the pod.
        hashes: String,
        /// The version that was seen.
        version: Option<String>,
    },
    /// It belongs to a former engine of the same name, and goes with it.
    Former,
}
