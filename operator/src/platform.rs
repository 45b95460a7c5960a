//! What the platform decides, kept in memory: the classes, and the ConfigMaps of the operator's own namespace that they name.

use std::fmt::Debug;
use std::future::ready;
use std::hash::Hash;

use anyhow::Context as _;
use futures::StreamExt;
use futures::channel::mpsc;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::{self, Lookup, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use userengine_api::EngineClass;

/// An item for each change of what may concern every engine.
pub type Changes = mpsc::UnboundedReceiver<()>;

/// Both stores, word of each change once it can be read there, and the tasks that keep them.
pub struct Platform {
    /// The classes.
    pub classes: Store<EngineClass>,
    /// The ConfigMaps.
    pub config_maps: Store<ConfigMap>,
    /// Word of changes.
    pub changes: Changes,
    /// The tasks.
    pub keep: [JoinHandle<()>; 2],
}

/// Lists and watches. Returns once everything is there: without it every engine would look as if its class or its
/// catalog were missing.
pub async fn watch(client: &Client, namespace: &str) -> anyhow::Result<Platform> {
    let (sender, changes) = mpsc::unbounded();
    let told = sender.clone();
    let (classes, keep_classes) = keep(Api::<EngineClass>::all(client.clone()), move |_| {
        // Nobody listens before the controller runs, and that looks at every engine anyway.
        let _unheard = told.unbounded_send(());
    });
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let known = classes.clone();
    let (config_maps, keep_config_maps) = keep(config_maps, move |changed: ConfigMap| {
        // Others keep ConfigMaps in this namespace too, and may write them every few seconds.
        let name = changed.name_any();
        if known.state().iter().any(|class| names(class, &name)) {
            let _unheard = sender.unbounded_send(());
        }
    });
    let listed = classes.wait_until_ready().await;
    listed.context("failed to list EngineClasses")?;
    let listed = config_maps.wait_until_ready().await;
    listed.context("failed to list the ConfigMaps of the operator's namespace")?;
    Ok(Platform {
        classes,
        config_maps,
        changes,
        keep: [keep_classes, keep_config_maps],
    })
}

/// The class hands this ConfigMap to its engines.
fn names(class: &EngineClass, config_map: &str) -> bool {
    let catalog = class.spec.catalog.as_ref().map(|it| &it.config_map);
    [catalog, class.spec.tls.ca_config_map.as_ref()]
        .into_iter()
        .flatten()
        .any(|name| name == config_map)
}

fn keep<K>(objects: Api<K>, tell: impl Fn(K) + Send + 'static) -> (Store<K>, JoinHandle<()>)
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()>,
    K: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    <K as Lookup>::DynamicType: Eq + Hash + Clone,
{
    let (store, writer) = reflector::store();
    let events = watcher(objects, watcher::Config::default())
        .default_backoff()
        // Who set which field is of no use here, and often larger than the object.
        .modify(|object| object.meta_mut().managed_fields = None);
    let touched = events.reflect(writer).touched_objects();
    let task = touched.for_each(move |touched| {
        if let Ok(object) = touched {
            tell(object);
        }
        ready(())
    });
    (store, tokio::spawn(task))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::user_engine::fixtures::class;

    #[test]
    fn only_what_a_class_names_concerns_engines() {
        let fields =
            json!({ "catalog": { "configMap": "servers" }, "tls": { "caConfigMap": "roots" } });
        let class = class("standard", true, &fields);
        assert!(names(&class, "servers") && names(&class, "roots"));
        assert!(!names(&class, "kube-root-ca.crt"));
    }
}
