//! Whose a disposable child is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use userengine_api::labels::ENGINE;

/// Whose an object is, from the point of view of one `UserEngine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// This engine's.
    Ours,
    /// Of an engine of the same name that is gone: the garbage collector is about to take it.
    Former,
    /// Somebody else's. Never touched.
    Foreign,
}

/// Reads the controlling owner reference.
pub fn ownership(child: &ObjectMeta, name: &str, uid: &str) -> Ownership {
    let is_controller = |owner: &&OwnerReference| owner.controller == Some(true);
    match child.owner_references.iter().flatten().find(is_controller) {
        Some(owner) if owner.uid == uid => Ownership::Ours,
        Some(owner) if owner.kind == "UserEngine" && owner.name == name => Ownership::Former,
        None if is_left_to_pods(child, name) => Ownership::Former,
        _ => Ownership::Foreign,
    }
}

/// What stays for the pods of a former engine until they are gone: they alone own it.
fn is_left_to_pods(child: &ObjectMeta, name: &str) -> bool {
    let labels = child.labels.as_ref();
    let owners = child.owner_references.as_deref().unwrap_or_default();
    labels
        .and_then(|all| all.get(ENGINE))
        .is_some_and(|engine| engine == name)
        && !owners.is_empty()
        && owners.iter().all(|owner| owner.kind == "Pod")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(kind: &str, name: &str, uid: &str, controller: Option<bool>) -> ObjectMeta {
        let owner = OwnerReference {
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            controller,
            ..OwnerReference::default()
        };
        ObjectMeta {
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn tells_ours_from_a_former_engines_and_from_a_strangers() {
        let of = |child| ownership(&child, "alice", "1");
        assert_eq!(
            of(child("UserEngine", "alice", "1", Some(true))),
            Ownership::Ours
        );
        assert_eq!(
            of(child("UserEngine", "alice", "0", Some(true))),
            Ownership::Former
        );
        assert_eq!(
            of(child("Deployment", "alice", "0", Some(true))),
            Ownership::Foreign
        );
        assert_eq!(
            of(child("UserEngine", "alice", "1", None)),
            Ownership::Foreign
        );
        assert_eq!(of(ObjectMeta::default()), Ownership::Foreign);
        let of_pod = |engine: &str| {
            let mut walls = child("Pod", "alice-0", "p", None);
            walls.labels = Some([(ENGINE.to_owned(), engine.to_owned())].into());
            of(walls)
        };
        assert_eq!(of_pod("alice"), Ownership::Former);
        assert_eq!(of_pod("bob"), Ownership::Foreign);
        assert_eq!(of(child("Pod", "alice-0", "p", None)), Ownership::Foreign);
    }
}
