//! What only Events tell, and what bounds a pod that is refused: read for an engine that does not come up, and for no other.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, LimitRange, Namespace, Pod, ResourceQuota, Secret,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ListParams, ObjectList};
use kube::{Api, ResourceExt};
use serde_json::json;
use sha2::{Digest, Sha256};
use userengine_api::hex::hex;
use userengine_rotation::decide::CLOCKS_SECONDS;

use super::{Error, Eye, failed};
use crate::user_engine::assess::{Awaited, Missing, awaited, is_refused, missing, pulls_with};
use crate::user_engine::observed::Observed;

/// How long an object may take before it is asked what keeps it.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(3);
/// Events of one object that are read. It has one for each sort of trouble.
const MOST: u32 = 50;

impl Eye<'_> {
    /// What keeps the engine from coming up, as far as somebody has to be asked for it.
    pub(super) async fn troubles(&self, observed: &mut Observed) -> Result<(), Error> {
        observed.events = self.events(observed).await?;
        if is_refused(observed) {
            observed.bounds = Some(self.bounds().await?);
        }
        let Some(pod) = observed.pod.as_ref() else {
            return Ok(());
        };
        let mut found = false;
        if let Some(missing) = missing(observed, pod) {
            found = self.is_there(missing).await?;
        }
        for name in pulls_with(pod) {
            found |= self.changed_since(name, pod).await?;
        }
        observed.found = found;
        Ok(())
    }

    /// The Events of everything that is waited for, and has been for a while.
    async fn events(&self, observed: &Observed) -> Result<Vec<Event>, Error> {
        let mut all = Vec::new();
        for late in awaited(observed)
            .iter()
            .filter(|it| is_late(it, observed.now))
        {
            let its = ListParams::default()
                .fields(&format!("involvedObject.uid={}", late.uid))
                .limit(MOST);
            all.extend(allowed(self.api::<Event>().list(&its).await, "the Events")?);
        }
        Ok(all)
    }

    /// A hash of what the API server may refuse a pod for in this namespace, and of what there is room for.
    async fn bounds(&self) -> Result<String, Error> {
        let all = ListParams::default();
        let (quotas, ranges) = (self.api::<ResourceQuota>(), self.api::<LimitRange>());
        let namespaces: Api<Namespace> = Api::all(self.context.client.clone());
        let quotas = allowed(quotas.list(&all).await, "the quotas")?;
        let ranges = allowed(ranges.list(&all).await, "the limit ranges")?;
        let namespace = namespaces.get_opt(&self.namespace).await;
        let namespace = namespace.map_err(failed("the namespace"))?;
        let quotas: Vec<_> = quotas.iter().map(|it| (&it.spec, &it.status)).collect();
        let ranges: Vec<_> = ranges.iter().map(|it| &it.spec).collect();
        let labels = namespace.as_ref().map(ResourceExt::labels);
        let hash = Sha256::digest(json!([quotas, ranges, labels]).to_string());
        Ok(hex(hash.iter().take(8)))
    }

    /// Whether there is such a Secret, and somebody made or changed it after this pod was made.
    async fn changed_since(&self, secret: &str, pod: &Pod) -> Result<bool, Error> {
        let found = self.api::<Secret>().get_metadata_opt(secret).await;
        let found = found.map_err(failed("what an image is pulled with"))?;
        Ok(found.is_some_and(|found| last_change(&found) > pod.creation_timestamp()))
    }

    /// Whether there is such an object; what it holds is left alone.
    async fn is_there(&self, missing: Missing<'_>) -> Result<bool, Error> {
        let found = match missing {
            Missing::Secret(name) => self
                .api::<Secret>()
                .get_metadata_opt(name)
                .await
                .map(|it| it.is_some()),
            Missing::ConfigMap(name) => self
                .api::<ConfigMap>()
                .get_metadata_opt(name)
                .await
                .map(|it| it.is_some()),
        };
        found.map_err(failed("what a pod misses"))
    }
}

/// When an object was written last, as far as anybody put that down.
fn last_change(object: &impl ResourceExt) -> Option<Time> {
    let writes = object
        .managed_fields()
        .iter()
        .filter_map(|it| it.time.clone());
    writes.chain(object.creation_timestamp()).max()
}

/// What may not be read is not known, and that keeps nobody from coming up.
fn allowed<K: Clone>(
    found: kube::Result<ObjectList<K>>,
    what: &'static str,
) -> Result<Vec<K>, Error> {
    match found {
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            tracing::warn!(%status, "not allowed to read {what}");
            Ok(Vec::new())
        }
        found => Ok(found.map_err(failed(what))?.items),
    }
}

fn is_late(awaited: &Awaited, now: Timestamp) -> bool {
    let age = awaited.since.and_then(|since| age(since, now));
    age.is_none_or(|age| age >= PATIENCE)
}

/// How old something is; `None` if nobody knows, because our clock is far behind the API server's.
pub fn age(since: Timestamp, now: Timestamp) -> Option<SignedDuration> {
    let age = now.duration_since(since);
    let is_known = age.as_secs() >= -CLOCKS_SECONDS;
    is_known.then(|| age.max(SignedDuration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_something_new_waits_unless_nobody_knows_how_new_it_is() {
        let is_late = |seconds: Option<i64>| {
            let now = Timestamp::UNIX_EPOCH;
            let since = seconds.map(|seconds| now - SignedDuration::from_secs(seconds));
            let uid = "1".to_owned();
            is_late(&Awaited { uid, since }, now)
        };
        assert!(![0, 2, -1, -10].map(Some).into_iter().any(is_late));
        assert!([3, 3600, -11, -3600].map(Some).into_iter().all(is_late));
        assert!(is_late(None));
    }
}
