//! What a rotation runs, and who is in its way: looked for only while there may be such a thing.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use userengine_api::names::Names;
use userengine_api::{UserEngine, labels};
use userengine_rotation::ledger::Ledger;

use super::{Error, Eye, failed};
use crate::record::Record;
use crate::user_engine::assess::between;
use crate::user_engine::inside;
use crate::user_engine::observed::Rotating;
use crate::watches::PAGE;

/// Seconds after the end of a rotation in which its Job is still looked for. What is overlooked then goes by the Job's
/// own `ttlSecondsAfterFinished`.
const AFTERMATH: i64 = 3600;

impl Eye<'_> {
    /// What rotations run, and what proves that keys are not needed.
    pub(super) async fn rotating(
        &self,
        engine: &UserEngine,
        record: Option<&Record>,
    ) -> Result<(Rotating, Rotating), Error> {
        let Some(ledger) = record.map(|record| &record.ledger) else {
            return Ok(<_>::default());
        };
        let ours = of_rotation(&self.engine.name_any());
        if ledger.open.is_some() {
            // Anybody's pod may have the volume: all of the namespace are looked at.
            let jobs = self.jobs(&ours).await?;
            let pods = self.pods(&ListParams::default()).await?;
            return Ok(self.sorted(jobs, pods).await);
        }
        if may_be_left(engine, ledger) {
            let (jobs, pods) = (self.jobs(&ours).await?, self.pods(&ours).await?);
            return Ok(self.sorted(jobs, pods).await);
        }
        Ok(<_>::default())
    }

    async fn jobs(&self, which: &ListParams) -> Result<Vec<Job>, Error> {
        let found = self.api::<Job>().list(which).await;
        Ok(found.map_err(failed("the Jobs of a rotation"))?.items)
    }

    /// Those that run for a rotation, or have the volume. A page of the namespace is in memory at once.
    async fn pods(&self, which: &ListParams) -> Result<Vec<Pod>, Error> {
        let name = self.engine.name_any();
        let claim = Names(&name).claim();
        let (mut pods, mut page) = (Vec::new(), which.clone().limit(PAGE));
        loop {
            let found = self.api::<Pod>().list(&page).await;
            let found = found.map_err(failed("the pods of the namespace"))?;
            let next = found.metadata.continue_.filter(|token| !token.is_empty());
            let concern = |pod: &Pod| is_of_rotation(pod, &name) || mounts(pod, &claim);
            pods.extend(found.items.into_iter().filter(concern));
            let Some(next) = next else { return Ok(pods) };
            page = page.continue_token(&next);
        }
    }

    async fn sorted(&self, jobs: Vec<Job>, pods: Vec<Pod>) -> (Rotating, Rotating) {
        let name = self.engine.name_any();
        let (ours, holders): (Vec<_>, Vec<_>) =
            pods.into_iter().partition(|pod| is_of_rotation(pod, &name));
        let (proving_pods, pods): (Vec<_>, Vec<_>) = ours.into_iter().partition(is_proof);
        let (proving_jobs, jobs) = jobs.into_iter().partition(is_proof);
        // To a rotation, a proof is one more that has the volume.
        let holders = holders.into_iter().chain(proving_pods.iter().cloned());
        let said = inside::progress(&pods).await;
        let progress = said.or_else(|| between(&pods));
        let rotating = Rotating {
            jobs,
            pods,
            holders: holders.collect(),
            progress,
        };
        let proving = Rotating {
            jobs: proving_jobs,
            pods: proving_pods,
            ..Rotating::default()
        };
        (rotating, proving)
    }
}

/// A rotation ended a moment ago, or an engine that sleeps has a key to be rid of.
fn may_be_left(engine: &UserEngine, ledger: &Ledger) -> bool {
    let now = crate::clock::now().as_second();
    let last = ledger.last.as_ref();
    let is_recent = last.is_some_and(|last| now.saturating_sub(last.ended) < AFTERMATH);
    let is_retired = ledger.keys.iter().any(|key| key.state.is_retired());
    is_recent || engine.spec.suspended && is_retired
}

fn is_proof(object: &impl ResourceExt) -> bool {
    object.labels().contains_key(labels::PROOF)
}

/// Finds what the rotations of this engine run.
pub fn of_rotation(engine: &str) -> ListParams {
    ListParams::default().labels(&format!(
        "{}={engine},{}={}",
        labels::ENGINE,
        labels::COMPONENT,
        labels::ROTATION_COMPONENT
    ))
}

fn is_of_rotation(pod: &Pod, engine: &str) -> bool {
    let has = |name: &str, value: &str| pod.labels().get(name).is_some_and(|it| it == value);
    has(labels::ENGINE, engine) && has(labels::COMPONENT, labels::ROTATION_COMPONENT)
}

fn mounts(pod: &Pod, claim: &str) -> bool {
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    volumes
        .filter_map(|volume| volume.persistent_volume_claim.as_ref())
        .any(|source| source.claim_name == claim)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(labels: &serde_json::Value, claim: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "labels": labels },
            "spec": {
                "containers": [],
                "volumes": [
                    { "name": "tmp", "emptyDir": {} },
                    { "name": "data", "persistentVolumeClaim": { "claimName": claim } },
                ],
            },
        }))
        .unwrap()
    }

    #[test]
    fn whoever_mounts_the_claim_holds_it_whatever_its_labels() {
        let stranger = pod(&json!({ "app": "debugger" }), "alice-brain");
        assert!(mounts(&stranger, "alice-brain") && !is_of_rotation(&stranger, "alice"));
        assert!(!mounts(&stranger, "bob-brain"));
    }

    #[test]
    fn a_rotation_knows_its_own_pods_by_two_labels() {
        let ours = json!({ labels::ENGINE: "alice", labels::COMPONENT: "rotation" });
        assert!(is_of_rotation(&pod(&ours, "alice-brain"), "alice"));
        assert!(!is_of_rotation(&pod(&ours, "alice-brain"), "bob"));
        let engine = json!({ labels::ENGINE: "alice", labels::COMPONENT: "engine" });
        assert!(!is_of_rotation(&pod(&engine, "alice-brain"), "alice"));
    }
}
