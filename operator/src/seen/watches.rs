//! The watches of what belongs to engines. Children are watched by their metadata only; what they hold is read when it is needed.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{Event, watcher};
use kube::{Client, Resource};
use tokio::task::JoinSet;
use userengine_api::labels;

use super::metadata::ChildSketch;
use super::{EngineName, EngineSketch, Seen, Shown, Watched};
use crate::cluster::watching;
use crate::namespaces::Place;
use crate::watches::{PAGE, Reopening};

/// An item for each engine of which a child changed.
pub type Woken = mpsc::UnboundedReceiver<ObjectRef<EngineSketch>>;
/// A claim, each time that one is seen which is being deleted.
pub type Leaving = mpsc::UnboundedReceiver<ObjectRef<PersistentVolumeClaim>>;

/// What the watches of one place tell.
pub struct Told {
    /// Whom a change concerns.
    pub woken: Woken,
    /// Which claims are being deleted.
    pub leaving: Leaving,
    /// One for each kind: comes after its first list. Before that, every engine looks as if something of it were missing.
    pub listed: Vec<oneshot::Receiver<()>>,
}

/// Lists and watches all kinds of child in one place. The watches end with `tasks`.
pub fn watch(client: &Client, place: &Place, seen: &Arc<Seen>, tasks: &mut JoinSet<()>) -> Told {
    let (wake, woken) = mpsc::unbounded();
    let (leave, leaving) = mpsc::unbounded();
    let mut all_listed = Vec::new();
    macro_rules! follow {
        ($($kind:ident)*) => {$(
            let (listed, is_listed) = oneshot::channel();
            all_listed.push(is_listed);
            let follower = Follower {
                kind: Watched::$kind,
                place: place.clone(),
                seen: seen.clone(),
                wake: wake.clone(),
                leave: leave.clone(),
                listed: Some(listed),
                list: 0,
            };
            tasks.spawn(follower.follow::<$kind>(client.clone()));
        )*};
    }
    follow!(PersistentVolumeClaim StatefulSet Pod Service ServiceAccount ConfigMap NetworkPolicy);
    Told {
        woken,
        leaving,
        listed: all_listed,
    }
}

/// What one watch has come to.
struct Follower {
    kind: Watched,
    place: Place,
    seen: Arc<Seen>,
    wake: mpsc::UnboundedSender<ObjectRef<EngineSketch>>,
    leave: mpsc::UnboundedSender<ObjectRef<PersistentVolumeClaim>>,
    /// Told after the first list.
    listed: Option<oneshot::Sender<()>>,
    /// Number of the last list that began.
    list: u32,
}

impl Follower {
    async fn follow<K>(mut self, client: Client)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + Send
            + 'static,
    {
        let api = self.place.api::<ChildSketch<K>>(&client);
        let ours = watching()
            .labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGER))
            .page_size(PAGE);
        let mut events = std::pin::pin!(watcher(api, ours).backoff(Reopening::default()));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(event),
                Err(error) => {
                    tracing::warn!(kind = self.kind.as_str(), %error, "a watch broke; it is opened again");
                }
            }
        }
    }

    fn take<K>(&mut self, event: Event<ChildSketch<K>>) {
        match event {
            Event::Init => self.list = self.list.wrapping_add(1),
            Event::InitApply(object) => {
                let news = self
                    .seen
                    .show(self.kind, &object.metadata, Shown::Listed(self.list));
                self.tell(news);
                self.tell_of_leaving(&object.metadata);
            }
            Event::InitDone => {
                let bereft = self.seen.listed(self.kind, &self.place, self.list);
                for engine in bereft {
                    self.tell(Some(engine));
                }
                // Whoever waited may have gone.
                let _told = self.listed.take().map(|listed| listed.send(()));
            }
            Event::Apply(object) => {
                let news = self
                    .seen
                    .show(self.kind, &object.metadata, Shown::Changed(self.list));
                self.tell(news);
                self.tell(self.seen.strayed(self.kind, &object.metadata));
                self.tell_of_leaving(&object.metadata);
            }
            Event::Delete(object) => self.tell(self.seen.forget(self.kind, &object.metadata)),
        }
    }

    /// Wakes the engine; not during the first list, after which every engine is looked at anyway.
    fn tell(&self, news: Option<EngineName>) {
        if let Some(engine) = news.filter(|_| self.listed.is_none()) {
            let engine = ObjectRef::new(&engine.name).within(&engine.namespace);
            let _unheard = self.wake.unbounded_send(engine);
        }
    }

    fn tell_of_leaving(&self, child: &ObjectMeta) {
        let is_leaving = child.deletion_timestamp.is_some();
        if self.kind == Watched::PersistentVolumeClaim && is_leaving {
            let name = child.name.as_deref().unwrap_or_default();
            let claim = ObjectRef::new(name).within(child.namespace.as_deref().unwrap_or_default());
            let _unheard = self.leave.unbounded_send(claim);
        }
    }
}
