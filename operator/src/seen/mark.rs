//! Marks: numbers that differ when what matters about an object differs.

use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The kinds of child that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// The brain's volume.
    PersistentVolumeClaim,
    /// What makes the pod.
    StatefulSet,
    /// The engine's, and those of its rotations.
    Pod,
    /// Its addresses.
    Service,
    /// Its identity.
    ServiceAccount,
    /// What it is told.
    ConfigMap,
    /// Its walls.
    NetworkPolicy,
}

impl Watched {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::PersistentVolumeClaim,
        Self::StatefulSet,
        Self::Pod,
        Self::Service,
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::NetworkPolicy,
    ];

    /// The kind of this name, if it is watched.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::StatefulSet => "StatefulSet",
            Self::Pod => "Pod",
            Self::Service => "Service",
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::NetworkPolicy => "NetworkPolicy",
        }
    }

    /// The API server counts the changes of its spec apart from those of its status
    /// (<https://kubernetes.io/docs/reference/using-api/api-concepts/>), and nothing in its status is of use here.
    fn has_generation(self) -> bool {
        matches!(self, Self::StatefulSet | Self::NetworkPolicy)
    }
}

/// The version of an object, which rises with each write.
pub fn version(metadata: &ObjectMeta) -> u64 {
    let version = metadata.resource_version.as_deref();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

/// A hash of its name.
pub fn name(metadata: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.name.hash(&mut hasher);
    hasher.finish()
}

/// A child's mark.
pub fn mark(kind: Watched, metadata: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    own(metadata, &mut hasher);
    if kind.has_generation() {
        metadata.generation.hash(&mut hasher);
    } else {
        metadata.resource_version.hash(&mut hasher);
    }
    hasher.finish()
}

/// What matters of any object's metadata.
pub fn own(metadata: &ObjectMeta, hasher: &mut DefaultHasher) {
    (
        &metadata.uid,
        &metadata.labels,
        &metadata.annotations,
        &metadata.finalizers,
    )
        .hash(hasher);
    metadata.deletion_timestamp.is_some().hash(hasher);
    for owner in metadata.owner_references.iter().flatten() {
        (&owner.uid, owner.controller).hash(hasher);
    }
}
