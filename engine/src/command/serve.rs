//! `engine serve`: from the environment to an exit code.

use std::process::ExitCode;

use userengine_api::refusal::{Refusal, RefusalReason};

use super::mending::{Memory, Mending, Wait};
use super::start::{self, Threads};
use super::{ServeArgs, refusal};
use crate::clock::Clock;
use crate::config::{Config, Environment, refusal_file};
use crate::process;
use crate::run::{self, Ended};

/// Serves until told to stop. A refusal goes to the log, the termination message and the exit code.
pub(super) fn serve(args: &ServeArgs) -> ExitCode {
    process::report_panics_without_their_message();
    process::forbid_dumps();
    process::make_private_files();
    let environment = Environment::of_process();
    // One that is wrong is refused below, with the rest of the configuration.
    let memory = Memory::at(refusal_file(&environment).ok().flatten());
    match serve_once_mended(&environment, memory.take()) {
        Ok(Ended::HandedOver) => ExitCode::SUCCESS,
        Ok(Ended::Cut) => ExitCode::FAILURE,
        Ok(Ended::NotHandedOver(why)) => refusal::report(&why, &args.termination_log),
        Err(refused) => {
            memory.leave(&refused);
            refusal::report(&refused, &args.termination_log)
        }
    }
}

/// `told` is what the start before this one was refused for. For the same again the process does not end: it waits, and tries
/// anew, so that whoever mends it waits for no restart.
fn serve_once_mended(environment: &Environment, told: Option<Refusal>) -> Result<Ended, Refusal> {
    start::log(environment)?;
    refusal_file(environment)?;
    let mut wait = told.map(Mending::new);
    loop {
        let config = Config::read(environment)?;
        let folders = config.folders();
        if let Some(mending) = &mut wait {
            match start::block_on(
                Threads::One,
                RefusalReason::StorageFailed,
                mending.wait(&folders),
            )? {
                Wait::Over => {}
                Wait::Stopped => return Ok(Ended::HandedOver),
                Wait::InVain(told) => return Err(told),
            }
        }
        let run = run::run(config, Clock::system());
        match start::block_on(Threads::Two, RefusalReason::StorageFailed, run)? {
            Err(refused) if wait.as_mut().is_some_and(|wait| wait.is_for(&refused)) => {}
            ended => return ended,
        }
    }
}
