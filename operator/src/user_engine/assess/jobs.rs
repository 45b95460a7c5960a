//! The Jobs of a rotation and the pods in its way, as the transition table wants to see them.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;
use userengine_rotation::decide::{Holders, Job as JobSeen};
use userengine_rotation::verdict::{Progress, Step, Verdict};

use crate::user_engine::build::{MIGRATE, VERIFY};
use crate::user_engine::observed::Rotating;

/// The label by which a Job's pods are found
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#batch-kubernetesio-job-name>).
const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// The label by which a pod is known as that of one Job and of no other of its name.
const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
/// How long after its time a pod may take to be gone. One that takes longer is on a node that nobody hears of: the API
/// server waits for that node's word, and so must everybody else.
const OVERTIME: SignedDuration = SignedDuration::from_secs(60);

/// Whoever mounts the claim beside the Jobs. What has ended for good holds nothing.
pub fn holders(rotating: &Rotating, now: Timestamp) -> Holders {
    let mut alive = rotating
        .holders
        .iter()
        .filter(|pod| !is_over(pod))
        .peekable();
    if alive.peek().is_none() {
        return Holders::None;
    }
    if alive.any(|pod| is_lost(pod, now)) {
        Holders::Unreachable
    } else {
        Holders::Some
    }
}

/// The Job of this name, with its pods. One that is gone is going until its pods are, which [`orphans`] are cleared away for.
pub fn one(rotating: &Rotating, name: &str, now: Timestamp) -> JobSeen {
    let job = rotating.jobs.iter().find(|job| job.name_any() == name);
    let pods: Vec<_> = rotating
        .pods
        .iter()
        .filter(|pod| job_of(pod) == Some(name))
        .collect();
    if pods.iter().any(|pod| is_lost(pod, now)) {
        return JobSeen::Unreachable;
    }
    let Some(job) = job else {
        return if pods.is_empty() {
            JobSeen::Absent
        } else {
            JobSeen::Going
        };
    };
    if job.metadata.deletion_timestamp.is_some() {
        return JobSeen::Going;
    }
    let is_at_work = pods.iter().any(|pod| !is_over(pod));
    let own: Vec<_> = pods.into_iter().filter(|pod| is_of(pod, job)).collect();
    if is_at_work || own.is_empty() && !has_ended(job) {
        JobSeen::Running(rotating.progress.clone())
    } else {
        JobSeen::Ended(verdict(&own))
    }
}

/// The pods of Jobs that somebody deleted without them, which is what the API does unless it is told otherwise
/// (<https://kubernetes.io/docs/tasks/administer-cluster/use-cascading-deletion/>). They have no owner any more, and nobody else
/// deletes them.
pub fn orphans(pods: &[Pod]) -> impl Iterator<Item = &Pod> {
    let is_left =
        |pod: &&Pod| pod.owner_references().is_empty() && pod.metadata.deletion_timestamp.is_none();
    pods.iter().filter(is_left)
}

/// All Jobs as if they were one: the one that is furthest from being gone.
pub fn any(rotating: &Rotating, now: Timestamp) -> JobSeen {
    let jobs = rotating.jobs.iter().map(ResourceExt::name_any);
    let of_pods = rotating
        .pods
        .iter()
        .map(|pod| job_of(pod).unwrap_or_default().to_owned());
    let all = jobs.chain(of_pods).map(|name| one(rotating, &name, now));
    let rank = |job: &JobSeen| match job {
        JobSeen::Absent => 0,
        JobSeen::Ended(_) => 1,
        JobSeen::Going => 2,
        JobSeen::Running(_) => 3,
        JobSeen::Unreachable => 4,
    };
    all.max_by_key(rank).unwrap_or(JobSeen::Absent)
}

/// All containers of the pod ended, and none will start again.
pub fn is_over(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// The time by which the pod should be gone, its grace included, is long past.
pub fn is_lost(pod: &Pod, now: Timestamp) -> bool {
    let reason = pod.status.as_ref().and_then(|it| it.reason.as_deref());
    reason == Some("NodeLost") || time_left(pod, now).is_some_and(|left| left.is_negative())
}

/// How long a pod that is being deleted may still take; `None` if it is not.
pub fn time_left(pod: &Pod, now: Timestamp) -> Option<SignedDuration> {
    let due = pod.metadata.deletion_timestamp.as_ref()?;
    Some(OVERTIME - now.duration_since(due.0))
}

fn job_of(pod: &Pod) -> Option<&str> {
    pod.labels().get(JOB_NAME).map(String::as_str)
}

fn is_of(pod: &Pod, job: &Job) -> bool {
    match pod.labels().get(CONTROLLER_UID) {
        Some(uid) => job.uid().as_ref() == Some(uid),
        None => job_of(pod) == job.metadata.name.as_deref(),
    }
}

fn has_ended(job: &Job) -> bool {
    end(job).is_some()
}

/// When the Job ended; `None` also if its controller has not said when.
pub fn ended_at(job: &Job) -> Option<Timestamp> {
    end(job)?.last_transition_time.as_ref().map(|time| time.0)
}

fn end(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.iter().flatten();
    conditions
        .filter(|condition| condition.status == "True")
        .find(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed"))
}

/// How far the work is between the two containers, when neither can be asked: `migrate` has ended well.
pub fn between(pods: &[Pod]) -> Option<Progress> {
    let pod = pods.iter().find(|pod| !is_over(pod))?;
    let containers = pod.status.as_ref()?.init_container_statuses.as_deref();
    let Verdict::Migrated(migrated) = said_by(containers, MIGRATE)? else {
        return None;
    };
    Some(Progress {
        rotation: migrated.rotation,
        step: Step::Verifying,
        done: 0,
        total: migrated.rows,
    })
}

/// The last thing that was said: `verify` speaks after `migrate`.
fn verdict(pods: &[&Pod]) -> Option<Verdict> {
    let said = |pod: &Pod| {
        let status = pod.status.as_ref()?;
        let last = said_by(status.container_statuses.as_deref(), VERIFY);
        last.or_else(|| said_by(status.init_container_statuses.as_deref(), MIGRATE))
    };
    pods.iter().find_map(|pod| said(pod))
}

/// The image that verifies in a pod of one of the Jobs whose names begin so, as the node resolved it.
pub fn verified_by(pod: &Pod, jobs: &str) -> Option<String> {
    job_of(pod).filter(|job| job.starts_with(jobs))?;
    let containers = pod.status.as_ref()?.container_statuses.as_deref()?;
    let id = &named(containers, VERIFY)?.image_id;
    (!id.is_empty()).then(|| id.clone())
}

fn named<'a>(containers: &'a [ContainerStatus], name: &str) -> Option<&'a ContainerStatus> {
    containers.iter().find(|it| it.name == name)
}

fn said_by(containers: Option<&[ContainerStatus]>, name: &str) -> Option<Verdict> {
    let ended = named(containers?, name)?
        .state
        .as_ref()?
        .terminated
        .as_ref()?;
    serde_json::from_str(ended.message.as_deref()?.trim()).ok()
}
