//! What the platform decides, kept in memory: the classes, and the ConfigMaps of the operator's own namespace that they name.

use std::fmt::Debug;
use std::future::ready;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use anyhow::Context as _;
use futures::stream::unfold;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, Lookup, ObjectRef, Store};
use kube::runtime::watcher::{Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;
use userengine_api::EngineClass;

use crate::cluster::watching;
use crate::watches::Reopening;

/// Word of what may concern every engine. Changes that come faster than somebody listens are heard as one.
pub type Changes = watch::Receiver<()>;

/// Both stores, and word of each change once it can be read there.
pub struct Platform {
    /// The classes.
    pub classes: Store<EngineClass>,
    /// The ConfigMaps.
    pub config_maps: Store<ConfigMap>,
    /// Word of changes.
    pub changes: Changes,
}

/// Lists and watches, for as long as `tasks` run. Returns once everything is there: without it every engine would look as if its class or its
/// catalog were missing.
pub async fn watch(
    client: &Client,
    namespace: &str,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Platform> {
    let (sender, changes) = watch::channel(());
    let told = sender.clone();
    let classes = keep(tasks, Api::<EngineClass>::all(client.clone()), move |_| {
        told.send_replace(());
    });
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let known = classes.clone();
    let config_maps = keep(tasks, config_maps, move |changed: Option<&ConfigMap>| {
        // Others keep ConfigMaps in this namespace too, and may write them every few seconds.
        let classes = known.state();
        let mut handed = classes.iter().flat_map(|class| handed(class));
        if changed.is_none_or(|changed| handed.any(|name| name == changed.name_any())) {
            sender.send_replace(());
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
    })
}

/// An item each time that something has changed since the last one.
pub fn heard(changes: Changes) -> impl Stream<Item = ()> {
    unfold(changes, async |mut changes| {
        changes.changed().await.ok()?;
        Some(((), changes))
    })
}

/// A number that differs when what engines of this class follow differs, as it is now; `None` if there is no such class. `namespace`
/// is the operator's own.
pub fn mark(
    classes: &Store<EngineClass>,
    config_maps: &Store<ConfigMap>,
    namespace: &str,
    class: &str,
) -> Option<u64> {
    let class = classes.get(&ObjectRef::new(class))?;
    Some(mark_with(&class, |name| {
        config_maps.get(&ObjectRef::new(name).within(namespace))
    }))
}

/// The same, as it was when these were read.
pub fn mark_then(
    classes: &[Arc<EngineClass>],
    config_maps: &[Arc<ConfigMap>],
    class: &str,
) -> Option<u64> {
    let class = classes.iter().find(|it| it.name_any() == class)?;
    Some(mark_with(class, |name| {
        config_maps.iter().find(|it| it.name_any() == name).cloned()
    }))
}

fn mark_with(class: &EngineClass, config_map: impl Fn(&str) -> Option<Arc<ConfigMap>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&class.metadata.uid, class.metadata.generation).hash(&mut hasher);
    for name in handed(class) {
        let found = config_map(name);
        let found = found.as_ref().map(|found| &found.metadata);
        let version = found.map(|found| (&found.uid, &found.resource_version));
        version.hash(&mut hasher);
    }
    hasher.finish()
}

/// The ConfigMaps that a class hands to its engines.
fn handed(class: &EngineClass) -> impl Iterator<Item = &str> {
    let catalog = class.spec.catalog.as_ref();
    let catalog = catalog.map(|catalog| catalog.config_map.as_str());
    let roots = class.spec.tls.ca_config_map.as_deref();
    [catalog, roots].into_iter().flatten()
}

/// Keeps these objects, and tells of each that changed, once it is kept; `None` after a list, which may lack what was there before.
fn keep<K>(
    tasks: &mut JoinSet<()>,
    objects: Api<K>,
    tell: impl Fn(Option<&K>) + Send + 'static,
) -> Store<K>
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()>,
    K: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    <K as Lookup>::DynamicType: Eq + Hash + Clone,
{
    let (store, writer) = reflector::store();
    let events = watcher(objects, watching())
        .backoff(Reopening::default())
        // Who set which field is of no use here, and often larger than the object.
        .modify(|object| object.meta_mut().managed_fields = None);
    let task = events.reflect(writer).for_each(move |event| {
        match event {
            Ok(Event::Apply(object) | Event::Delete(object)) => tell(Some(&object)),
            Ok(Event::InitDone) => tell(None),
            Ok(Event::Init | Event::InitApply(_)) => {}
            Err(error) => {
                let kind = <K as Resource>::kind(&());
                tracing::warn!(%kind, %error, "a watch broke; it is opened again");
            }
        }
        ready(())
    });
    tasks.spawn(task);
    store
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::FutureExt;
    use serde_json::json;
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::simulated::{failure, server};
    use crate::user_engine::fixtures::class;

    #[test]
    fn every_listener_hears_of_changes_and_of_many_at_once_as_one() {
        let (sender, changes) = watch::channel(());
        let mut listeners = [changes.clone(), changes].map(|changes| Box::pin(heard(changes)));
        for listener in &mut listeners {
            assert_eq!(listener.next().now_or_never(), None);
        }
        sender.send_replace(());
        sender.send_replace(());
        for listener in &mut listeners {
            assert_eq!(listener.next().now_or_never(), Some(Some(())));
            assert_eq!(listener.next().now_or_never(), None);
        }
    }

    #[test]
    fn the_mark_is_the_same_in_whichever_order_things_are_kept() {
        let fields =
            json!({ "catalog": { "configMap": "servers" }, "tls": { "caConfigMap": "roots" } });
        let mark = |version: &str| {
            let (classes, mut writer) = reflector::store();
            writer.apply_watcher_event(&Event::Apply(class("standard", true, &fields)));
            let (config_maps, mut writer) = reflector::store();
            for (name, version) in [("servers", "1"), ("roots", version), ("others", version)] {
                let metadata = json!({ "namespace": "system", "name": name, "uid": name, "resourceVersion": version });
                let handed = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
                writer.apply_watcher_event(&Event::<ConfigMap>::Apply(handed));
            }
            let mark = super::mark(&classes, &config_maps, "system", "standard");
            let then = mark_then(&classes.state(), &config_maps.state(), "standard");
            assert_eq!(mark, then);
            mark.unwrap()
        };
        assert!((0..20).all(|_| mark("2") == mark("2")));
        assert_ne!(mark("2"), mark("3"));
    }

    #[test]
    fn only_what_a_class_names_concerns_engines() {
        let fields =
            json!({ "catalog": { "configMap": "servers" }, "tls": { "caConfigMap": "roots" } });
        let class = class("standard", true, &fields);
        let names = |name: &str| handed(&class).any(|handed| handed == name);
        assert!(names("servers") && names("roots"));
        assert!(!names("kube-root-ca.crt"));
    }

    /// An API server without ConfigMaps, with one class, which is deleted while nobody sees it: the watch of classes ends, the server
    /// fails to list them ten times, and the list after that is empty.
    fn forgetful() -> Client {
        let lists = Arc::new(AtomicUsize::new(0));
        server(move |request| {
            let uri = request.uri().to_string();
            let is_watch = uri.contains("watch=true");
            let is_of_classes = uri.contains("engineclasses");
            let is_list_of_classes = is_of_classes && !is_watch;
            let list = lists.fetch_add(usize::from(is_list_of_classes), Ordering::Relaxed);
            async move {
                let of = |items: &[EngineClass]| json!({ "metadata": { "resourceVersion": "9" }, "items": items });
                match (is_of_classes, is_watch) {
                    (true, false) if list == 0 => (200, of(&[class("standard", true, &json!({}))])),
                    (true, false) if list <= 10 => failure(500, ""),
                    (_, false) => (200, of(&[])),
                    (true, true) if list == 1 => (
                        200,
                        json!({ "type": "ERROR", "object": failure(410, "").1 }),
                    ),
                    (_, true) => std::future::pending().await,
                }
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_class_that_went_unseen_is_gone_soon_after_the_server_lists_classes_again() {
        let mut tasks = JoinSet::new();
        let platform = watch(&forgetful(), "system", &mut tasks).await.unwrap();
        let has_class = || platform.classes.get(&ObjectRef::new("standard")).is_some();
        assert!(has_class());
        let began = Instant::now();
        let mut changes = Box::pin(heard(platform.changes));
        while has_class() {
            let word = timeout(Duration::from_secs(15), changes.next()).await;
            assert_eq!(word, Ok(Some(())), "nobody is told");
        }
        let took = began.elapsed();
        assert!(took <= Duration::from_secs(12), "{took:?}");
    }
}
