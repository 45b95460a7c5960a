//! What wakes a reconcile: changes of anything that belongs to an engine. Children are watched by their
//! metadata only; what they hold is read when it is needed.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::PartialObjectMeta;
use kube::runtime::Controller;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Config;
use kube::{Api, Client, Resource, ResourceExt};
use userengine_api::{UserEngine, labels};

/// A controller of `UserEngine` that wakes up for every child.
pub fn controller(client: &Client) -> Controller<UserEngine> {
    let controller = Controller::new(Api::<UserEngine>::all(client.clone()), Config::default());
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
