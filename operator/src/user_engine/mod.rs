//! The controller of `UserEngine`.

pub mod apply;
pub mod assess;
pub mod build;
pub mod child;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod inside;
pub mod leave;
mod news;
pub mod observe;
pub mod observed;
pub mod plan;
mod recheck;
mod report;
pub mod retry;
pub mod status;

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt};
use userengine_api::status::{Phase, UserEngineStatus};
use userengine_api::{EngineClass, UserEngine};

use self::assess::Assessment;
use self::observed::Observed;
use self::status::Report;
use crate::cluster::{WriteError, Writer};
use crate::metrics::Metrics;
use crate::retained;

/// Rounds of one reconcile: a birth has three (key, claim, children), a rotation that begins five (the request, the key,
/// its reading back, the engine's stop), and some to spare.
const ROUNDS: usize = 8;

/// What every reconcile shares.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// The classes, as the watch gives them.
    pub classes: Store<EngineClass>,
    /// The ConfigMaps of the operator's namespace, as the watch gives them.
    pub platform: Store<ConfigMap>,
    /// The namespace of the operator's own pods.
    pub operator_namespace: String,
    /// Writes Events.
    pub recorder: Recorder,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What running engines said of themselves.
    pub insides: inside::Insides,
    /// How long each engine that failed waits.
    pub backoff: retry::Backoff,
}

/// Why a reconcile came to nothing, and will be tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster could not be read.
    #[error(transparent)]
    Observe(#[from] observe::Error),
    /// A step could not be carried out.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// The status could not be written.
    #[error("failed to report")]
    Report(#[source] WriteError),
    /// The engine could not be let go.
    #[error(transparent)]
    Leave(#[from] leave::Error),
}

impl Error {
    /// Somebody else wrote at the same time: no failure, look again.
    pub fn is_race(&self) -> bool {
        matches!(
            self,
            Self::Apply(apply::Error::Write(WriteError::Raced { .. }))
                | Self::Report(WriteError::Raced { .. })
                | Self::Leave(
                    leave::Error::Write(WriteError::Raced { .. })
                        | leave::Error::LetGo(retained::Error::Write(WriteError::Raced { .. }))
                )
        )
    }
}

/// Looks, finds out what it means, decides, acts, and says so.
pub async fn reconcile(engine: Arc<UserEngine>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let result = rounds(&engine, &context).await;
    let (outcome, phase) = match &result {
        Ok(done) => ("ok", done.phase),
        Err(error) if error.is_race() => ("raced", None),
        Err(_) => ("failed", None),
    };
    context.metrics.reconciled(outcome, started.elapsed());
    let done = result?;
    context.backoff.reset(&engine.uid().unwrap_or_default());
    let namespace = engine.namespace().unwrap_or_default();
    tracing::info!(
        namespace,
        engine = engine.name_any(),
        phase = phase.map(Phase::as_str),
        outcome,
        took_ms = started.elapsed().as_millis(),
        "reconciled"
    );
    Ok(done.action)
}

/// What one reconcile came to.
struct Done {
    phase: Option<Phase>,
    action: Action,
}

async fn rounds(engine: &Arc<UserEngine>, context: &Context) -> Result<Done, Error> {
    let namespace = engine.namespace().unwrap_or_default();
    let writer = Writer::new(context.client.clone(), namespace, context.metrics.clone());
    for round in 1.. {
        // What the watch gave may be older than a deletion: nothing is made for an engine that goes.
        let Some(mut observed) = observe::observe(context, engine).await? else {
            return Ok(gone(context, engine));
        };
        if observed.engine.metadata.deletion_timestamp.is_some() {
            leave::leave(context, &writer, &observed.engine).await?;
            return Ok(gone(context, engine));
        }
        let mut assessment = assess(&mut observed).await;
        let plan = plan::plan(&observed, &assessment);
        let applied = apply::apply(&writer, &observed, &plan).await?;
        if applied.trouble.is_none() {
            news::tell(context, &observed.engine, &assessment, &plan.news).await;
        }
        if plan.again && applied.trouble.is_none() && round < ROUNDS {
            continue;
        }
        if let Some(growth) = applied
            .growth
            .clone()
            .filter(|_| assessment.storage.holds())
        {
            assessment.storage = growth;
        }
        return finish(context, &writer, &observed, &assessment, &applied).await;
    }
    unreachable!("the loop above returns")
}

/// Finds out what the observed state means; asks the engine for proof if a key's destruction waits for it.
async fn assess(observed: &mut Observed) -> Assessment {
    let assessment = assess::assess(observed);
    let rotation = assessment.rotation.as_ref();
    let is_wanted = rotation.is_some_and(|rotation| rotation.wants_proof);
    let serving = observed.pod.as_ref().filter(|_| assessment.engine.holds());
    let Some(pod) = serving.filter(|_| is_wanted) else {
        return assessment;
    };
    match inside::ask_now(pod).await {
        Ok(proof) => {
            observed.proof = Some(proof);
            assess::assess(observed)
        }
        Err(error) => {
            tracing::warn!(engine = observed.name(), %error, "no proof that a key is not needed any more; it is kept");
            assessment
        }
    }
}

/// The engine is gone, or as good as gone.
fn gone(context: &Context, engine: &UserEngine) -> Done {
    context
        .metrics
        .engine(&engine.uid().unwrap_or_default(), None);
    context.metrics.key(&engine.uid().unwrap_or_default(), None);
    Done {
        phase: None,
        action: Action::await_change(),
    }
}

async fn finish(
    context: &Context,
    writer: &Writer,
    observed: &Observed,
    assessment: &Assessment,
    applied: &apply::Applied,
) -> Result<Done, Error> {
    let inside = ask_inside(context, observed, assessment).await;
    let report = Report {
        observed,
        assessment,
        trouble: applied.trouble.as_ref(),
        inside: inside.as_ref(),
        now: crate::clock::now(),
    };
    let status = report::report(writer, &context.recorder, &report)
        .await
        .map_err(Error::Report)?;
    context.metrics.engine(&observed.uid(), status.phase);
    context.metrics.key(&observed.uid(), key_created(&status));
    let unheard = assessment.engine.holds() && inside.is_none();
    Ok(Done {
        phase: status.phase,
        action: Action::requeue(recheck::recheck(&report, unheard)),
    })
}

async fn ask_inside(
    context: &Context,
    observed: &Observed,
    assessment: &Assessment,
) -> Option<inside::Inside> {
    let pod = observed
        .pod
        .as_ref()
        .filter(|_| assessment.engine.holds())?;
    match context.insides.ask(&observed.uid(), pod).await {
        Ok(inside) => Some(inside),
        Err(error) => {
            tracing::warn!(engine = observed.name(), %error, "the engine could not be asked; it is asked again");
            None
        }
    }
}

/// When the active key was made.
fn key_created(status: &UserEngineStatus) -> Option<Timestamp> {
    let encryption = status.encryption.as_ref()?;
    let mut keys = encryption.keys.iter();
    let active = keys.find(|key| key.id == encryption.active_key)?;
    active.created_at.as_ref().map(|time| time.0)
}

/// What to do after an error: at once after a race, else later and later.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is the controller's"
)]
pub fn error_policy(engine: Arc<UserEngine>, error: &Error, context: Arc<Context>) -> Action {
    let uid = engine.uid().unwrap_or_default();
    let wait = if error.is_race() {
        retry::SOON
    } else {
        context.backoff.next(&uid)
    };
    let namespace = engine.namespace().unwrap_or_default();
    if error.is_race() {
        tracing::debug!(namespace, engine = engine.name_any(), %error, "raced");
    } else {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(namespace, engine = engine.name_any(), %error, cause, wait_ms = wait.as_millis(), "reconcile failed");
    }
    Action::requeue(wait)
}
