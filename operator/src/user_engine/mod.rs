//! The controller of `UserEngine`.

pub mod api_key;
pub mod apply;
pub mod assess;
pub mod build;
pub mod child;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod growth;
pub mod inside;
pub mod leave;
mod news;
pub mod observe;
pub mod observed;
pub mod plan;
mod recheck;
mod report;
pub mod retry;
pub mod rollout;
pub mod status;
pub mod tries;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use tokio::sync::Semaphore;
use userengine_api::EngineClass;
use userengine_api::status::Phase;

use self::assess::{Assessment, Finding, Standing};
use self::observed::Observed;
use self::report::{event_of, publish};
use self::status::Report;
use crate::cluster::{Recorder, WriteError, Writer};
use crate::metrics::{Counted, Metrics};
use crate::seen::{Digest, EngineName, EngineSketch, Look, Rest, Seen, key_created, mark_of};
use crate::{platform, retained};

/// Rounds of one reconcile: a birth has three (key, claim, children), a rotation that begins five (the request, the key,
/// its reading back, the engine's stop), and some to spare.
const ROUNDS: usize = 8;

/// Failures in a row after which the next one is told in the status: it comes within four seconds, and sooner if a watch wakes
/// the engine meanwhile.
const LASTING: u32 = 2;

/// The longest wait for the look that a disturbance leads to: it wakes the engine by itself.
const SOON: Duration = Duration::from_secs(1);

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
    /// Publishes Events.
    pub recorder: Recorder,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Which versions running engines said they have.
    pub insides: inside::Insides,
    /// Whose turn it is to be restarted for its class.
    pub rollouts: rollout::Rollouts,
    /// Whose turn it is to be tried anew.
    pub tries: tries::Tries,
    /// How long each engine that failed waits.
    pub backoff: retry::Backoff,
    /// The growths of volumes that were refused.
    pub growths: growth::Refusals,
    /// Engines that may be worked on at once, whichever namespaces they are in.
    pub turns: Semaphore,
    /// What the watches have shown.
    pub seen: Arc<Seen>,
    /// Hears of the claims of engines that are gone.
    pub left_behind: mpsc::UnboundedSender<ObjectRef<PersistentVolumeClaim>>,
    /// Differs for each build of the operator.
    pub build: u64,
}

impl Context {
    /// Everything that the watches show of an engine with this mark, which follows a class with that mark. The operator's namespace
    /// is in its walls.
    fn digest(&self, engine: &impl ResourceExt, mark: u64, class: Option<u64>) -> Digest {
        let follows = (self.build, &self.operator_namespace, class);
        self.seen.digest(&EngineName::of(engine), mark, &follows)
    }
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
pub async fn reconcile(engine: Arc<EngineSketch>, context: Arc<Context>) -> Result<Action, Error> {
    // Never closed.
    let _turn = context.turns.acquire().await;
    let started = Instant::now();
    if let Some(rest) = rest(&engine, &context) {
        context.metrics.reconciled("unchanged", started.elapsed());
        return Ok(Action::requeue(rest));
    }
    let look = context.seen.begin(&EngineName::of(&*engine));
    let has_begun = engine.phase.is_some_and(|phase| phase != Phase::Pending);
    context.rollouts.begin(look.is_first && has_begun);
    // In a room of its own: at a start nearly every engine is at rest, and each gets a task that has room for all of this.
    let result = Box::pin(rounds(&engine, &context, look)).await;
    let (outcome, phase) = match &result {
        Ok(done) => ("ok", done.phase),
        Err(error) if error.is_race() => ("raced", None),
        Err(_) => ("failed", None),
    };
    context.metrics.reconciled(outcome, started.elapsed());
    let done = result?;
    context.backoff.reset(&EngineName::of(&*engine).to_string());
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

/// How long nothing need be done; `None` if the engine has to be looked at.
fn rest(engine: &EngineSketch, context: &Context) -> Option<Duration> {
    let (classes, handed) = (&context.classes, &context.platform);
    let namespace = &context.operator_namespace;
    let class = engine.class.as_deref();
    let class = class.and_then(|class| platform::mark(classes, handed, namespace, class));
    let digest = context.digest(engine, engine.mark, class);
    let rest = Rest {
        digest,
        settled: engine.settled.as_deref(),
        first: recheck::after_start(&engine.uid().unwrap_or_default()),
    };
    let rest = context
        .seen
        .rest(&EngineName::of(engine), &rest, Instant::now())?;
    show(
        context,
        engine,
        engine.phase.map(Counted::In),
        engine.key_created,
    );
    Some(rest)
}

/// Keeps the gauges true.
fn show(
    context: &Context,
    engine: &impl ResourceExt,
    counted: Option<Counted>,
    key_created: Option<Timestamp>,
) {
    let name = EngineName::of(engine).to_string();
    context.metrics.engine(&name, counted);
    context.metrics.key(&name, key_created);
}

/// What one reconcile came to.
struct Done {
    phase: Option<Phase>,
    action: Action,
}

async fn rounds(engine: &EngineSketch, context: &Context, look: Look) -> Result<Done, Error> {
    let namespace = engine.namespace().unwrap_or_default();
    let writer = Writer::new(
        context.client.clone(),
        namespace,
        context.metrics.clone(),
        context.seen.clone(),
    );
    for round in 1.. {
        // What the watch gave may be older than a deletion: nothing is made for an engine that goes.
        let Some(mut observed) = Box::pin(observe::observe(context, engine)).await? else {
            return Ok(gone(context, engine));
        };
        if observed.engine.metadata.deletion_timestamp.is_some() {
            // However long that takes, it is not restarted for its class, and in no phase.
            context.rollouts.forget(&observed.full_name());
            let is_held = context.backoff.failures(&observed.full_name()) > 0;
            show(context, engine, is_held.then_some(Counted::Deleting), None);
            return match leave::leave(context, &writer, &observed).await {
                Ok(None) => Ok(gone(context, engine)),
                Ok(Some(wait)) => Ok(Done {
                    phase: None,
                    action: Action::requeue(wait),
                }),
                Err(error) => {
                    tell_of_held_deletion(context, &observed, &error).await;
                    Err(error.into())
                }
            };
        }
        let mut assessment = assess(context, &mut observed).await;
        tries::try_anew(context, &mut observed, &assessment);
        let plan = plan::plan(&observed, &assessment);
        let applied = apply::apply(&writer, &observed, &plan).await;
        if applied.is_whole() {
            news::tell(context, &observed, &assessment, &plan.news).await;
        } else if assessment.standing == Standing::Behind {
            // It is not restarted for its class: another may have its place.
            context.rollouts.forget(&observed.full_name());
        }
        if applied.turned {
            news::tell_of_api_key(context, &observed.engine, plan.api_key_news.as_ref()).await;
        }
        if let Some(error) = applied.error {
            let lasting = lasting(context, &observed, &error);
            if lasting.is_some() {
                let trouble = lasting.as_ref();
                finish(context, &writer, look, &observed, &assessment, trouble).await?;
            }
            return Err(error.into());
        }
        // The answer to a write of our own wakes nobody.
        let has_grown = plan.grows() && applied.refused_growth.is_none();
        if (plan.again || has_grown) && applied.trouble.is_none() && round < ROUNDS {
            continue;
        }
        if let Some(refused) = &applied.refused_growth {
            context
                .growths
                .remember(&observed.full_name(), refused.clone());
            observed.refused_growth = Some(refused.clone());
            assessment = assess::assess(&observed);
        }
        let trouble = applied.trouble.as_ref();
        return finish(context, &writer, look, &observed, &assessment, trouble).await;
    }
    unreachable!("the loop above returns")
}

/// Tells once of a deletion that does not come to its end: its status is not written any more.
async fn tell_of_held_deletion(context: &Context, observed: &Observed, error: &leave::Error) {
    if context.backoff.failures(&observed.full_name()) == LASTING {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        let note = format!("{error}{}; this is tried again", cause.unwrap_or_default());
        let event = event_of("Delete", EventType::Warning, "DeletionHeld", &note);
        publish(&context.recorder, &observed.engine, &event).await;
    }
}

/// What an error that has lasted is to be told as; it goes on being tried as any other.
fn lasting(context: &Context, observed: &Observed, error: &apply::Error) -> Option<Finding> {
    let has_lasted = context.backoff.failures(&observed.full_name()) >= LASTING;
    error.trouble(observed).filter(|_| has_lasted)
}

/// Finds out what the observed state means; asks for its turn if it would be restarted for its class, and the engine if a
/// key's destruction waits for its proof, or the rotation of its API key for its word.
async fn assess(context: &Context, observed: &mut Observed) -> Assessment {
    let mut assessment = assess::assess(observed);
    if let (Standing::Behind, Some(class)) = (assessment.standing, &assessment.resolved) {
        let most = class.spec.rollout.max_concurrent.into();
        observed.waits_behind = context
            .rollouts
            .ask(&observed.full_name(), &class.name, most)
            .err();
        if observed.waits_behind.is_some() {
            assessment = assess::assess(observed);
        }
    }
    let is_wanted = assessment.wants_word();
    let serving = observed.pod.as_ref().filter(|_| assessment.engine.holds());
    let Some(pod) = serving.filter(|_| is_wanted) else {
        return assessment;
    };
    // Without its word all keys are kept.
    if let Ok(proof) = context.insides.ask(&observed.full_name(), pod).await {
        observed.proof = Some(proof);
        assessment = assess::assess(observed);
    }
    assessment
}

/// The engine is gone, or as good as gone.
fn gone(context: &Context, engine: &EngineSketch) -> Done {
    forget(context, &EngineName::of(engine));
    Done {
        phase: None,
        action: Action::await_change(),
    }
}

/// Forgets an engine that is gone, whoever let it go.
pub fn forget(context: &Context, engine: &EngineName) {
    context.seen.gone(engine);
    let name = engine.to_string();
    context.metrics.engine(&name, None);
    context.metrics.key(&name, None);
    context.metrics.forget_rotation(&name);
    context.growths.forget(&name);
    context.rollouts.forget(&name);
    context.tries.forget(&name);
    context.insides.forget(&name);
    context.backoff.reset(&name);
    // Whoever deleted its claim since it was last looked at was told that this engine holds it.
    // Unheard only by an operator that ends.
    let _unheard = context.left_behind.unbounded_send(engine.claim());
}

async fn finish(
    context: &Context,
    writer: &Writer,
    look: Look,
    observed: &Observed,
    assessment: &Assessment,
    trouble: Option<&Finding>,
) -> Result<Done, Error> {
    let asked = ask_version(context, observed, assessment).await;
    let (version, unheard) = match asked {
        Some(Ok(version)) => (
            Some(version),
            context.insides.silence(&observed.full_name()),
        ),
        Some(Err(wait)) => (None, Some(wait)),
        None => (None, None),
    };
    let report = Report {
        observed,
        assessment,
        trouble,
        version: version.as_deref(),
        now: crate::clock::now(),
    };
    let (engine, mut status) = (&*observed.engine, report.status());
    let passing = report.passing(&status);
    let wait = recheck::recheck(&report, unheard).min(passing.unwrap_or(Duration::MAX));
    let name = EngineName::of(engine);
    let mark = mark_of(&engine.metadata, &status);
    // What changed since it was read is yet to be looked at.
    let class = status.class_name.as_deref();
    let class =
        class.and_then(|class| platform::mark_then(&observed.classes, &observed.platform, class));
    let digest = context.digest(engine, mark, class);
    let is_done = recheck::is_quiet(wait);
    let is_quiet = is_done && context.seen.is_undisturbed(&name, look);
    if is_quiet {
        status.settled = Some(digest.text());
    }
    // One status tells that it is done, and of what it was made.
    let is_put_off = is_done && context.seen.puts_off(&name, look, Instant::now());
    let wait = if is_put_off { wait.min(SOON) } else { wait };
    if passing.is_none() && !is_put_off {
        report::report(writer, &context.recorder, &report, &status)
            .await
            .map_err(Error::Report)?;
    }
    show(
        context,
        engine,
        status.phase.map(Counted::In),
        key_created(&status),
    );
    let class = status.class_name.as_deref().unwrap_or_default();
    context
        .rollouts
        .seen(&observed.full_name(), class, assessment.standing);
    if is_quiet {
        context
            .seen
            .rests(&name, look, digest, Instant::now() + wait);
    }
    Ok(Done {
        phase: status.phase,
        action: Action::requeue(wait),
    })
}

/// The version that an engine says it has that serves, or how long it is not asked again.
async fn ask_version(
    context: &Context,
    observed: &Observed,
    assessment: &Assessment,
) -> Option<Result<Box<str>, Duration>> {
    let pod = observed
        .pod
        .as_ref()
        .filter(|_| assessment.engine.holds())?;
    Some(context.insides.version(&observed.full_name(), pod).await)
}

/// What to do after an error: soon after a race, else later and later.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is the controller's"
)]
pub fn error_policy(engine: Arc<EngineSketch>, error: &Error, context: Arc<Context>) -> Action {
    let name = EngineName::of(&*engine).to_string();
    let wait = if error.is_race() {
        context.backoff.after_race(&name)
    } else {
        context.backoff.next(&name)
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

#[cfg(test)]
mod tests;
