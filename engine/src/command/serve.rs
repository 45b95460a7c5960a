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
use crate::stop::StopSignals;

/// Serves until told to stop. A refusal goes to the log, the termination message and the exit code.
pub(super) fn serve(args: &ServeArgs) -> ExitCode {
    process::report_panics_without_their_message();
    process::forbid_dumps();
    process::make_private_files();
    let environment = Environment::of_process();
    // One that is wrong is refused below, with the rest of the configuration.
    let memory = Memory::at(refusal_file(&environment).ok().flatten());
    match log_and_serve(&environment, memory.take()) {
        Ok(Ended::HandedOver) => ExitCode::SUCCESS,
        Ok(Ended::Cut) => ExitCode::FAILURE,
        Ok(Ended::NotHandedOver(why)) => refusal::report(&why, &args.termination_log),
        Err(refused) => {
            let code = refusal::report(&refused, &args.termination_log);
            // Last: whoever finds it goes by its having been told.
            memory.leave(&refused);
            code
        }
    }
}

fn log_and_serve(environment: &Environment, told: Option<Refusal>) -> Result<Ended, Refusal> {
    start::log(environment)?;
    refusal_file(environment)?;
    let served = serve_once_mended(environment, told);
    start::block_on(Threads::Two, RefusalReason::StorageFailed, served)?
}

/// `told` is what the start before this one was refused for. For the same again the process does not end: it waits, and tries
/// anew, so that whoever mends it waits for no restart.
async fn serve_once_mended(
    environment: &Environment,
    told: Option<Refusal>,
) -> Result<Ended, Refusal> {
    // For the whole life of the process: one that comes between two tries is not to be missed.
    let mut signals = StopSignals::install().map_err(|error| {
        let message = format!("failed to take signals: {error}");
        Refusal::new(RefusalReason::StorageFailed, message)
    })?;
    let mut mending = told.map(Mending::new);
    loop {
        let config = Config::read(environment)?;
        if let Some(mending) = &mut mending {
            match mending.wait(&config.folders(), &mut signals).await {
                Wait::Over => {}
                Wait::Stopped => return Ok(Ended::HandedOver),
                Wait::InVain(told) => return Err(told),
            }
        }
        let ended = run::run(config, Clock::system(), &mut signals).await;
        let Err(refused) = ended else { return ended };
        let mut known = mending.as_mut().filter(|_| !signals.came());
        if !known.as_mut().is_some_and(|it| it.is_for(&refused)) {
            return Err(refused);
        }
    }
}
