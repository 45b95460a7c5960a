//! `engine serve`: from the environment to an exit code.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use userengine_api::refusal::{Refusal, RefusalReason};

use super::ServeArgs;
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
        Err(refusal) => {
            tracing::error!(reason = refusal.reason.as_str(), "{}", refusal.message);
            leave_termination_message(&args.termination_log, &refusal);
            ExitCode::from(refusal.reason.exit_code())
        }
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

/// The kubelet provides the file. Outside a pod there is none, and none is made.
fn leave_termination_message(path: &Path, refusal: &Refusal) {
    let Ok(mut file) = OpenOptions::new().write(true).truncate(true).open(path) else {
        return;
    };
    if let Err(error) = file.write_all(refusal.to_json().as_bytes()) {
        tracing::warn!(%error, "failed to write the termination message");
    }
}
