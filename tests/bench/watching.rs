//! Watches: when an object first was as somebody waits for it.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use kube::api::{WatchEvent, WatchParams};
use kube::core::Resource;
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};
use userengine_e2e::Namespace;

/// Seconds that something in one round may take.
pub const DEADLINE: u32 = 120;

/// Waits until `fraction` of a second of the bench's clock has passed. The kubelet looks at its pods once a second, and
/// a round ends when it has looked; without this, every round would begin at about the same moment between two looks, so
/// that a few milliseconds more would always, or never, cost a whole second.
pub async fn wait_for_phase(origin: Instant, fraction: f64) {
    let now = origin.elapsed().as_secs_f64().fract();
    let wait = (fraction - now).rem_euclid(1.0);
    sleep(Duration::from_secs_f64(wait)).await;
}

/// What happens to some objects.
pub type Events<K> = BoxStream<'static, kube::Result<WatchEvent<K>>>;

/// Kinds that can be watched.
pub trait Watched:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + 'static
{
}

impl<K> Watched for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static
{
}

/// A watch on one object, open before anything is asked of the cluster.
pub async fn watch<K: Watched>(namespace: &Namespace, name: &str) -> anyhow::Result<Events<K>> {
    let one = WatchParams::default().fields(&format!("metadata.name={name}"));
    watch_those(namespace, one).await
}

/// The same on the objects that these parameters choose.
pub async fn watch_those<K: Watched>(
    namespace: &Namespace,
    chosen: WatchParams,
) -> anyhow::Result<Events<K>> {
    let parameters = chosen.timeout(2 * DEADLINE);
    let events = namespace.api::<K>().watch(&parameters, "0").await?;
    Ok(events.boxed())
}

/// When a watched object first was as wanted.
pub async fn seen<K>(
    events: &mut Events<K>,
    wanted: impl Fn(&K) -> bool,
    what: &str,
) -> anyhow::Result<Instant> {
    let wanted = |event: &WatchEvent<K>| match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) => wanted(object),
        _ => false,
    };
    first(events, wanted, what).await
}

/// When a watched object was gone.
pub async fn gone<K>(events: &mut Events<K>, what: &str) -> anyhow::Result<Instant> {
    let deleted = |event: &WatchEvent<K>| matches!(event, WatchEvent::Deleted(_));
    first(events, deleted, what).await
}

async fn first<K>(
    events: &mut Events<K>,
    wanted: impl Fn(&WatchEvent<K>) -> bool,
    what: &str,
) -> anyhow::Result<Instant> {
    let first = async {
        while let Some(event) = events.try_next().await? {
            if let WatchEvent::Error(error) = event {
                bail!("the watch ended: {error:?}");
            }
            if wanted(&event) {
                return Ok(Instant::now());
            }
        }
        bail!("the watch ended")
    };
    timeout(Duration::from_secs(DEADLINE.into()), first)
        .await
        .with_context(|| format!("waited {DEADLINE} s until {what}"))?
}
