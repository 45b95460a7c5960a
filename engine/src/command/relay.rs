//! `engine relay`: from the environment to an exit code.

use std::process::ExitCode;

use userengine_api::refusal::{Refusal, RefusalReason};

use super::start::{self, Threads};
use super::{ServeArgs, refusal};
use crate::config::{Environment, RelayConfig};
use crate::process;
use crate::relay::{self, Ended};

/// What `--help` says of the variables.
pub(super) const VARIABLES: &str = "\
Variables:
  OAUTH_REDIRECT_BASE_URL  where this relay is; providers register <this>/assets/oauth/callback (required)
  ENGINE_URL_TEMPLATE      where the engines are, such as https://{name}.{namespace}.engines.example.com (required)
  LISTEN_ADDR              address of the relay [default: 0.0.0.0:8080]
  INTERNAL_ADDR            address of probes and metrics [default: 0.0.0.0:9090]
  SHUTDOWN_GRACE_SECONDS   how long a stop waits for requests in flight, 1 to 600 [default: 25]
  ENGINE_LOG_LEVEL         error | warn | info | debug | trace [default: info]
  ENGINE_LOG_FORMAT        json | pretty [default: json]

One relay serves one template: classes whose engines have addresses of another form need a relay each.

Exit codes: 0 stopped cleanly, 1 cut short by a second signal, 64 configuration.";

/// Relays until told to stop.
pub(super) fn relay(args: &ServeArgs) -> ExitCode {
    process::report_panics_without_their_message();
    // Codes pass through its memory.
    process::forbid_dumps();
    match configure_and_run(&Environment::of_process()) {
        Ok(Ended::Stopped) => ExitCode::SUCCESS,
        Ok(Ended::Cut) => ExitCode::FAILURE,
        Err(refused) => refusal::report(&refused, &args.termination_log),
    }
}

fn configure_and_run(environment: &Environment) -> Result<Ended, Refusal> {
    start::log(environment)?;
    let config = RelayConfig::read(environment)?;
    let run = relay::run(config);
    start::block_on(Threads::One, RefusalReason::ConfigInvalid, run)?
}
