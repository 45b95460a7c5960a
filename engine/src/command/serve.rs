//! `engine serve`: from the environment to an exit code.

use std::process::ExitCode;

use userengine_api::refusal::{Refusal, RefusalReason};

use super::start::{self, Threads};
use super::{ServeArgs, refusal};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::process;
use crate::run::{self, Ended};

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
    start::log(environment)?;
    let config = Config::read(environment)?;
    let run = run::run(config, Clock::system());
    start::block_on(Threads::Two, RefusalReason::StorageFailed, run)?
}
