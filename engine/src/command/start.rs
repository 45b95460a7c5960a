//! What the commands do before their own work: a log, and threads to run on.

use std::time::Duration;

use tokio::runtime::Builder;
use userengine_api::refusal::{Refusal, RefusalReason};

use crate::config::{Environment, LogConfig};
use crate::telemetry;

/// Starts the log. Also a bad setting of the log is reported through it.
pub(super) fn log(environment: &Environment) -> Result<(), Refusal> {
    let log = LogConfig::read(environment);
    telemetry::install(log.as_ref().copied().unwrap_or_default());
    log?;
    Ok(())
}

/// The threads of a command.
#[derive(Debug, Clone, Copy)]
pub(super) enum Threads {
    /// For whoever only looks at something and answers.
    One,
    /// One engine serves one user, and each worker costs memory a thousand times over on a node.
    Two,
}

/// Runs the work to its end. Refuses with `otherwise` if the system gives no threads.
pub(super) fn block_on<F: Future>(
    threads: Threads,
    otherwise: RefusalReason,
    work: F,
) -> Result<F::Output, Refusal> {
    let mut builder = match threads {
        Threads::One => Builder::new_current_thread(),
        Threads::Two => Builder::new_multi_thread(),
    };
    // A runtime of one thread does not look at it.
    builder.worker_threads(2).enable_all();
    let runtime = builder.build().map_err(|error| {
        Refusal::new(otherwise, format!("failed to start the runtime: {error}"))
    })?;
    let output = runtime.block_on(work);
    // A task that outlived the grace period must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(output)
}
