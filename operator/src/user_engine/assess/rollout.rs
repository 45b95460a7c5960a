//! How an engine stands to what its class says now.

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;
use userengine_api::condition::Reason;
use userengine_api::labels;
use userengine_api::refusal::RefusalReason;

use super::{Finding, ResolvedClass, Severity, has_in_hand};
use crate::cluster::drift::STAMP;
use crate::record::Record;
use crate::user_engine::build;
use crate::user_engine::observed::Observed;

/// The label of a pod that names the revision of the StatefulSet that it is made from
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#controller-revision-hash>).
const REVISION: &str = "controller-revision-hash";

/// How an engine stands to what its class says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It serves as the class is.
    InLine,
    /// It serves as the class was, and would be restarted for nothing that it asked for itself.
    Behind,
    /// It is being restarted, or does not serve yet.
    ComingUp,
    /// It counts with none of these: it is not to serve, or what keeps it from it is no class's doing.
    Apart,
}

impl Standing {
    /// The pod stays as it is until others of the class have come up again.
    pub fn waits(self, observed: &Observed) -> bool {
        self == Self::Behind && observed.waits_behind.is_some()
    }
}

/// Looks at pod and StatefulSet.
pub fn standing(
    observed: &Observed,
    record: &Record,
    class: &ResolvedClass,
    engine: &Finding,
) -> Standing {
    let is_to_serve = record.initialised
        && !class.keeps_pod
        && !observed.engine.spec.suspended
        && !has_in_hand(observed, record);
    let Some(live) = observed.stateful_set().filter(|_| is_to_serve) else {
        return Standing::Apart;
    };
    let wanted = build::stateful_set(observed, record, class).object;
    let same = |name: &str| {
        let wanted = wanted.pointer("/metadata/annotations");
        let wanted = wanted.and_then(|all| all.get(name)?.as_str());
        live.annotations().get(name).map(String::as_str) == wanted
    };
    match (engine.holds(), same(STAMP)) {
        (true, true) if is_rolled_out(observed, live) => Standing::InLine,
        (true, false) if same(labels::ASKED) && has_replica(live) => Standing::Behind,
        (false, _) if is_its_own_trouble(observed, engine) => Standing::Apart,
        _ => Standing::ComingUp,
    }
}

/// The StatefulSet is to have its pod.
pub fn has_replica(live: &DynamicObject) -> bool {
    live.data.pointer("/spec/replicas") != Some(&Value::from(0))
}

/// The pod is made from the template as it is.
fn is_rolled_out(observed: &Observed, live: &DynamicObject) -> bool {
    let Some(pod) = &observed.pod else {
        return false;
    };
    // Nothing of it was ever changed. Its controller's status may come later than the pod.
    let is_first = live.metadata.generation == Some(1);
    if is_first && pod.creation_timestamp() >= live.creation_timestamp() {
        return true;
    }
    let status = |field: &str| live.data.get("status")?.get(field);
    let seen = status("observedGeneration").and_then(Value::as_i64);
    let newest = status("updateRevision").and_then(Value::as_str);
    let pod = pod.labels().get(REVISION);
    seen == live.metadata.generation && pod.map(String::as_str) == newest
}

/// What its brain, its keys, its node or its own wishes are like, which a restart of others would not do to them.
fn is_its_own_trouble(observed: &Observed, engine: &Finding) -> bool {
    let spec = &observed.engine.spec;
    engine.severity == Severity::Blocked
        && match engine.reason {
            _ if spec.image.is_some() => true,
            Reason::Refused(refusal) => !matches!(
                refusal,
                RefusalReason::ConfigInvalid | RefusalReason::MigrationRequired
            ),
            Reason::NodeUnreachable => true,
            Reason::OutOfMemory | Reason::Unschedulable | Reason::PodRefused => {
                spec.resources.is_some()
            }
            Reason::ContainerConfigError => !spec.env_from.is_empty(),
            Reason::CrashLoop => !spec.env.is_empty() || !spec.env_from.is_empty(),
            _ => false,
        }
}

/// It waits for its turn.
pub fn queued(class: &ResolvedClass) -> Finding {
    let most = class.spec.rollout.max_concurrent;
    let message = format!(
        "follows EngineClass '{}' as it was; it has changed, and its engines are restarted {most} at a time (spec.rollout.maxConcurrent): this one waits, and serves as before; if nothing moves, see which engines of the class do not come up",
        class.name
    );
    Finding::fine_but(Reason::RolloutQueued, message)
}
