//! Publishes Events. The name of each says what it tells: to know what was told before takes no memory, and outlives a restart.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as Published;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use userengine_api::labels::MANAGER;

use super::ours;

/// Longest note that the API server takes, in bytes.
const LONGEST: usize = 1024;

/// Publishes Events about objects.
pub struct Recorder(Client);

impl Recorder {
    /// Publishes through this client.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Publishes an Event in the namespace of what it is about. What the API server still has of the same in the same words is
    /// counted instead, in a series (<https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>).
    pub async fn publish(&self, event: &Event, regarding: &ObjectReference) -> kube::Result<()> {
        let namespace = regarding.namespace.as_deref().unwrap_or("default");
        let events = Api::namespaced(self.0.clone(), namespace);
        let now = crate::clock::now();
        let published = published(event, regarding, now);
        match events.create(&ours(), &published).await {
            Err(kube::Error::Api(answer)) if answer.is_already_exists() => {
                once_more(&events, &published.name_any(), now).await
            }
            other => other.map(drop),
        }
    }
}

async fn once_more(events: &Api<Published>, name: &str, now: Timestamp) -> kube::Result<()> {
    let patch = |patch| async move {
        let patch = Patch::Merge(patch);
        events.patch(name, &PatchParams::default(), &patch).await
    };
    // A patch of nothing gives what is there, and takes no further right.
    let known = patch(json!({})).await?;
    let told = known.series.as_ref().map_or(1, |series| series.count);
    let series = json!({ "count": told.saturating_add(1), "lastObservedTime": MicroTime(now) });
    let version = known.resource_version();
    patch(json!({ "metadata": { "resourceVersion": version }, "series": series })).await?;
    Ok(())
}

fn published(event: &Event, regarding: &ObjectReference, now: Timestamp) -> Published {
    let about = regarding.name.as_deref().unwrap_or(MANAGER);
    let type_ = match event.type_ {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    };
    let note = event.note.as_deref().map(cut);
    let second = event.secondary.as_ref();
    let mut hasher = DefaultHasher::new();
    (&regarding.kind, &regarding.uid, type_, &event.reason).hash(&mut hasher);
    (&event.action, note, second.map(|second| &second.uid)).hash(&mut hasher);
    Published {
        metadata: ObjectMeta {
            namespace: regarding.namespace.clone(),
            name: Some(format!("{about}.{:016x}", hasher.finish())),
            ..ObjectMeta::default()
        },
        type_: Some(type_.to_owned()),
        reason: Some(event.reason.clone()),
        action: Some(event.action.clone()),
        note: note.map(str::to_owned),
        regarding: Some(regarding.clone()),
        related: event.secondary.clone(),
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(MANAGER.to_owned()),
        reporting_instance: Some(MANAGER.to_owned()),
        ..Published::default()
    }
}

/// As much of a note as there is room for.
fn cut(note: &str) -> &str {
    note.get(..note.floor_char_boundary(LONGEST))
        .unwrap_or(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(note: &str) -> Event {
        Event {
            type_: EventType::Normal,
            reason: "Ready".to_owned(),
            note: Some(note.to_owned()),
            action: "Reconcile".to_owned(),
            secondary: None,
        }
    }

    fn alice(uid: &str) -> ObjectReference {
        ObjectReference {
            name: Some("alice".to_owned()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        }
    }

    fn name(event: &Event, uid: &str) -> String {
        published(event, &alice(uid), Timestamp::UNIX_EPOCH).name_any()
    }

    #[test]
    fn what_tells_the_same_of_the_same_object_has_one_name() {
        let known = name(&event("it serves"), "1");
        assert!(known.starts_with("alice.") && known.len() == "alice.".len() + 16);
        let later = published(&event("it serves"), &alice("1"), Timestamp::MAX);
        assert_eq!(known, later.name_any());
        let of_another = Event {
            secondary: Some(alice("2")),
            ..event("it serves")
        };
        for (event, uid) in [
            (event("it serves"), "2"),
            (event("it serves again"), "1"),
            (of_another, "1"),
        ] {
            assert_ne!(known, name(&event, uid));
        }
    }

    #[test]
    fn a_note_that_is_too_long_is_cut_between_two_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ä".repeat(600)).len(), 1024);
        assert_eq!(cut(&format!("a{}", "ä".repeat(600))).len(), 1023);
    }
}
