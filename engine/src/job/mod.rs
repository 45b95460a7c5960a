//! The life of a container of the rotation's Job: do the work, and say how far it is.

mod internal;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use userengine_api::layout::env;
use userengine_api::refusal::{Refusal, RefusalReason};
use userengine_brain::rotation::{Overseer, RotationError, migrate, standing, verify};
use userengine_rotation::request::RotationId;
use userengine_rotation::verdict::{Refused, Verdict};

use crate::clock::Clock;
use crate::config::RotationConfig;
use crate::listen::{Probes, bind};
use crate::process;
use crate::ring::Ring;
use crate::stop::{StopSignals, Stopped};
use crate::vault::Vault;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Seal everything with the new key.
    Migrate,
    /// Open everything with one key alone.
    Verify,
}

/// Runs to a verdict. The first signal asks for an end between two transactions; `None` if a second one cut it short.
pub async fn run(
    mut config: RotationConfig,
    clock: Clock,
    work: Work,
) -> Result<Option<Verdict>, Refusal> {
    let failed = |error: io::Error| {
        Refusal::new(
            RefusalReason::StorageFailed,
            format!("failed to take signals: {error}"),
        )
    };
    let mut signals = StopSignals::install().map_err(failed)?;
    let listener = bind(env::INTERNAL_ADDR, config.internal).await?;
    let id = config.task.as_ref().map(|task| task.order.id.clone());
    let overseer = Overseer::new(id);
    let probes = Probes::start(listener, internal::router(overseer.progress()));
    tracing::info!(internal = %probes.address, ?work, "working");
    if let Some(task) = config.task.as_mut().filter(|_| work == Work::Verify) {
        task.binary = process::measure().unwrap_or_default();
    }
    let life = |stopped: Stopped| live(config, clock, work, overseer, stopped);
    let verdict = signals.end(life).await;
    probes.stop().await;
    Ok(verdict)
}

async fn live(
    config: RotationConfig,
    clock: Clock,
    work: Work,
    overseer: Overseer,
    stopped: Stopped,
) -> Verdict {
    let ender = overseer.clone();
    let ending = tokio::spawn(async move {
        stopped.wait().await;
        ender.ask_to_end();
    });
    let brain = config.brain.path.clone();
    let id = config.task.as_ref().map(|task| task.order.id.clone());
    let outcome = attempt(config, &clock, work, &overseer).await;
    ending.abort();
    match outcome {
        Ok(verdict) => verdict,
        Err(refusal) => refused(refusal, brain, id).await,
    }
}

async fn attempt(
    config: RotationConfig,
    clock: &Clock,
    work: Work,
    overseer: &Overseer,
) -> Result<Verdict, Refusal> {
    let vault = Arc::new(Vault::new(&Ring::load(config.ring)?, clock.clone()));
    let (brain, task) = (&config.brain, config.task.as_ref());
    let outcome: Result<Verdict, RotationError> = match (work, task) {
        (Work::Verify, task) => verify(brain, &vault, clock, task, overseer).await,
        (Work::Migrate, Some(task)) => {
            let migrated = migrate(brain, &vault, clock, task, overseer).await;
            migrated.map(Verdict::Migrated)
        }
        (Work::Migrate, None) => {
            let problem = format!("set {}", env::ROTATION_ID);
            return Err(Refusal::new(RefusalReason::ConfigInvalid, problem));
        }
    };
    if let Err(RotationError::Unreadable(rows)) = &outcome {
        // Ids only. The brain itself stays as it is; `engine check` lists them all at any time.
        for row in rows.iter().take(MOST_TOLD) {
            tracing::warn!(row = %row.name, why = %row.why, "a sealed value does not open");
        }
    }
    Ok(outcome?)
}

/// So many rows are named in the log.
const MOST_TOLD: usize = 1000;

async fn refused(refusal: Refusal, brain: PathBuf, id: Option<RotationId>) -> Verdict {
    let standing = standing(&brain, id.as_ref()).await;
    Verdict::Refused(Refused {
        refusal,
        write_kid: standing.write_kid,
        touched: standing.touched,
    })
}
