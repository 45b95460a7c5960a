//! `engine serve`: from the environment to an exit code.

use std::process::ExitCode;
use std::time::Duration;

use userengine_api::refusal::{Refusal, RefusalReason};

use super::{ServeArgs, refusal};
use crate::clock::Clock;
use crate::config::{Config, Environment, LogConfig};
use crate::run::{self, Ended};
use crate::{process, telemetry};

/// Serves until told to stop. A refusal goes to the log, the termination message and the exit code.
pub(super) fn serve(args: &ServeArgs) -> ExitCode {
    process::report_panics_without_their_message();
    process::forbid_dumps();
    process::make_private_files();
    match configure_and_run(&Environment::of_process()) {
        Ok(Ended::HandedOver) => ExitCode::SUCCESS,
        Ok(Ended::Cut) => ExitCode::FAILURE,
        Err(refused) => refusal::report(&refused, &args.termination_log),
    }
}

fn configure_and_run(environment: &Environment) -> Result<Ended, Refusal> {
    let log = LogConfig::read(environment);
    // Also a bad log setting is reported through the log.
    telemetry::install(log.as_ref().copied().unwrap_or_default());
    log?;
    let config = Config::read(environment)?;

    // Two threads: one engine serves one user, and each worker costs memory a thousand times over on a node.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| {
            Refusal::new(
                RefusalReason::StorageFailed,
                format!("failed to start the runtime: {error}"),
            )
        })?;
    let ended = runtime.block_on(run::run(config, Clock::system()));
    // A task that outlived the grace period must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}
