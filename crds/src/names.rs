//! Names of the children of one engine. All are computed: a crash after a create finds the object again.

use sha2::{Digest, Sha256};

use crate::hex::hex;

/// What stands for the rotation id of a brain's first key.
pub const INITIAL: &str = "initial";

/// Names for the children of the engine of this name.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a>(pub &'a str);

impl Names<'_> {
    /// StatefulSet, ClusterIP Service, ServiceAccount, NetworkPolicy and ConfigMap share the engine's name.
    pub fn main(self) -> String {
        self.0.to_owned()
    }

    /// The pod of the StatefulSet
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#ordinal-index>).
    pub fn pod(self) -> String {
        format!("{}-0", self.0)
    }

    /// The headless Service, which gives the pod its DNS name.
    pub fn headless(self) -> String {
        format!("{}-headless", self.0)
    }

    /// The claim of the brain's volume.
    pub fn claim(self) -> String {
        format!("{}-brain", self.0)
    }

    /// The ConfigMap with the engine's copy of the catalog.
    pub fn catalog(self) -> String {
        format!("{}-catalog", self.0)
    }

    /// The Secret with the engine's API key.
    pub fn api_key(self) -> String {
        format!("{}-api-key", self.0)
    }

    /// The walls around the Jobs of rotations.
    pub fn rotation(self) -> String {
        format!("{}-rotation", self.0)
    }

    /// The Job of one attempt of a rotation; `suffix` from [`key_suffix`] of the rotation's id.
    pub fn job(self, suffix: &str, attempt: u8) -> String {
        format!("{}{attempt}", self.jobs(suffix))
    }

    /// What the names of a rotation's Jobs begin with.
    pub fn jobs(self, suffix: &str) -> String {
        format!("{}-rotate-{suffix}-", self.0)
    }

    /// The Job that proves that keys are not needed any more; `suffix` tells one occasion from another.
    pub fn proof(self, suffix: &str) -> String {
        format!("{}-prove-{suffix}", self.0)
    }

    /// The Secret of one encryption key; `suffix` from [`key_suffix`].
    pub fn key(self, suffix: &str) -> String {
        format!("{}-key-{suffix}", self.0)
    }
}

/// The engine that the claim of this name belongs to; `None` if it is no engine's.
pub fn engine_of_claim(claim: &str) -> Option<&str> {
    claim.strip_suffix("-brain").filter(|name| !name.is_empty())
}

/// Ten hex digits that name the key which `request` (a rotation id, or [`INITIAL`]) made for this brain.
pub fn key_suffix(database_id: &str, request: &str) -> String {
    let mut hash = Sha256::new();
    // The length goes first, so that no two pairs read as the same bytes.
    hash.update((database_id.len() as u64).to_be_bytes());
    hash.update(database_id);
    hash.update(request);
    hex(hash.finalize().iter().take(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_suffix_tells_brains_and_requests_apart() {
        let suffix = key_suffix("db-1", INITIAL);
        assert_eq!(suffix.len(), 10);
        assert_eq!(suffix, key_suffix("db-1", INITIAL));
        assert_ne!(suffix, key_suffix("db-2", INITIAL));
        assert_ne!(suffix, key_suffix("db-1", "r-1"));
        assert_ne!(key_suffix("ab", "c"), key_suffix("a", "bc"));
    }

    #[test]
    fn a_claim_names_its_engine() {
        assert_eq!(engine_of_claim(&Names("alice").claim()), Some("alice"));
        assert_eq!(engine_of_claim("-brain"), None);
        assert_eq!(engine_of_claim("data"), None);
    }

    #[test]
    fn the_longest_engine_name_leaves_room_for_every_child() {
        let name = "e".repeat(40);
        let names = Names(&name);
        // A Service and the pod's controller-revision label take 63 characters at most.
        for child in [
            names.main(),
            names.headless(),
            names.claim(),
            names.catalog(),
            names.api_key(),
            names.key("0123456789"),
            names.rotation(),
        ] {
            assert!(child.len() <= 58, "{child}");
        }
        // A Job's name is a label of its pod.
        assert!(names.job("0123456789", 3).len() <= 63);
    }
}
