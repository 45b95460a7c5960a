//! What wakes a reconcile: changes of anything that belongs to an engine. Children are watched by their
//! metadata only; what they hold is read when it is needed.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::PartialObjectMeta;
use kube::runtime::Controller;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::Config;
use kube::{Api, Client, Resource, ResourceExt};
use userengine_api::{UserEngine, labels};

/// A controller of `UserEngine` that wakes up for every child.
pub fn controller(client: &Client) -> Controller<UserEngine> {
    let controller = Controller::new(Api::<UserEngine>::all(client.clone()), Config::default())
        .trigger_backoff(Reopening::default());
    let controller = with_children::<PersistentVolumeClaim>(controller, client);
    let controller = with_children::<StatefulSet>(controller, client);
    let controller = with_children::<Pod>(controller, client);
    let controller = with_children::<Service>(controller, client);
    let controller = with_children::<ServiceAccount>(controller, client);
    let controller = with_children::<ConfigMap>(controller, client);
    with_children::<NetworkPolicy>(controller, client)
}

fn with_children<K>(controller: Controller<UserEngine>, client: &Client) -> Controller<UserEngine>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
{
    let ours = Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGER));
    controller.watches(
        Api::<PartialObjectMeta<K>>::all(client.clone()),
        ours,
        |child| engine_of(&child),
    )
}

fn engine_of(object: &impl ResourceExt) -> Option<ObjectRef<UserEngine>> {
    let engine = object.labels().get(labels::ENGINE)?;
    Some(ObjectRef::new(engine).within(&object.namespace()?))
}

/// The wait before broken watches are opened again. All of them share it, and while it lasts no change of any engine is seen:
/// kube's own, which grows to 30 s, kept a restarted API server's engines unseen for minutes.
#[derive(Debug, Default)]
struct Reopening {
    failures: u32,
}

impl Reopening {
    const FIRST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(1);
}

impl Iterator for Reopening {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = Self::FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        Some(wait.min(Self::MOST))
    }
}

impl Backoff for Reopening {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_watches_are_opened_again_within_a_second_however_often_they_broke() {
        let mut reopening = Reopening::default();
        let waits: Vec<_> = reopening.by_ref().take(100).collect();
        assert_eq!(waits[0], Reopening::FIRST);
        assert!(waits.is_sorted() && waits.iter().all(|wait| *wait <= Reopening::MOST));
        reopening.reset();
        assert_eq!(reopening.next(), Some(Reopening::FIRST));
    }
}
