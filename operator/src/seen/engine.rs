//! What is kept of a `UserEngine` between two looks at it.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;
use userengine_api::UserEngine;
use userengine_api::status::{Phase, UserEngineStatus};

use super::mark;
use super::metadata::Metadata;

/// A `UserEngine` as the watch keeps it.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Parts")]
pub struct EngineSketch {
    /// Namespace, name, uid and version; nothing else.
    metadata: ObjectMeta,
    /// See [`mark_of`].
    pub mark: u64,
    /// The digest with which the last look came to rest.
    pub settled: Option<Box<str>>,
    /// The class that it follows.
    pub class: Option<Box<str>>,
    /// Its phase.
    pub phase: Option<Phase>,
    /// When its active key was made.
    pub key_created: Option<Timestamp>,
}

/// What is read of an engine. What is wanted of it has its generation.
#[derive(Deserialize)]
struct Parts {
    metadata: Metadata,
    #[serde(default)]
    status: Option<UserEngineStatus>,
}

impl From<Parts> for EngineSketch {
    fn from(engine: Parts) -> Self {
        let status = engine.status.unwrap_or_default();
        let metadata = ObjectMeta::from(engine.metadata);
        let mark = mark_of(&metadata, &status);
        let metadata = ObjectMeta {
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            ..ObjectMeta::default()
        };
        Self {
            metadata,
            mark,
            key_created: key_created(&status),
            settled: status.settled.map(Into::into),
            class: status.class_name.map(Into::into),
            phase: status.phase,
        }
    }
}

/// When the active key was made.
pub fn key_created(status: &UserEngineStatus) -> Option<Timestamp> {
    let encryption = status.encryption.as_ref()?;
    let mut keys = encryption.keys.iter();
    let active = keys.find(|key| key.id == encryption.active_key)?;
    active.created_at.as_ref().map(|time| time.0)
}

/// Differs when what somebody wants of an engine differs, or what its status says, but for the digest in it.
pub fn mark_of(metadata: &ObjectMeta, status: &UserEngineStatus) -> u64 {
    let mut hasher = DefaultHasher::new();
    mark::own(metadata, &mut hasher);
    metadata.generation.hash(&mut hasher);
    let said = UserEngineStatus {
        settled: None,
        ..status.clone()
    };
    // Plain data: it has a text.
    serde_json::to_string(&said)
        .unwrap_or_default()
        .hash(&mut hasher);
    hasher.finish()
}

impl Resource for EngineSketch {
    type DynamicType = ();
    type Scope = <UserEngine as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        UserEngine::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        UserEngine::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        UserEngine::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        UserEngine::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
