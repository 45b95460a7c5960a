//! `engine migrate` and `engine verify`: from the environment to a verdict and an exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use userengine_api::layout::TERMINATION_LOG;
use userengine_api::refusal::{Refusal, RefusalReason};
use userengine_rotation::verdict::{Refused, Verdict};

use super::refusal;
use super::start::{self, Threads};
use crate::clock::Clock;
use crate::config::{Environment, RotationConfig};
use crate::job::{self, Work};
use crate::process;

/// What `--help` says of the variables.
pub(super) const VARIABLES: &str = "\
Variables:
  SQLITE_DB_PATH      the brain's file [default: /data/brain.sqlite]
  DATABASE_ID         the id that the brain must carry [default: whatever it carries]
  KEYRING_DIR         a folder with one file a key, named by its id: for `migrate` the keys before and the new one,
                      for `verify` the new one and no other
  AD_ENCRYPTION_KEY   instead of KEYRING_DIR, for `verify`: the new key
  ROTATION_ID         the rotation; `verify` without one opens everything and writes down that it did
  ROTATION_FROM       the key ids that may be the brain's write key when it begins, joined by commas
  ROTATION_TO         the key id that everything is sealed with in the end
  ROTATION_OPENED     Unix seconds of when it was opened: none begins that is older than one that began
  ROTATION_MODE       Normal | Compromised: every credential then needs fresh consent [default: Normal]
  ROTATION_SET_ASIDE  rows to set aside if they open with no key, <table>/<row id> joined by commas
  ENGINE_IMAGE        name of the image that runs, for the certificate; the program itself is measured
  INTERNAL_ADDR       address of /livez and /progress [default: 0.0.0.0:9090]
  ENGINE_LOG_LEVEL    error | warn | info | debug | trace [default: info]
  ENGINE_LOG_FORMAT   json | pretty [default: json]

The verdict goes to standard output and, in a pod, to the termination message, as JSON.

Exit codes: 0 done (again, if it was done before), 1 cut short by a second signal. Refused, and nothing of it mends by itself:
64 configuration, 65 keys, 66 brain, 67 the rotation. May pass by itself: 74 storage, 75 the brain is in use, or told to stop.";

/// Options of `migrate` and `verify`.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// File that takes the verdict. It is written only if it exists.
    #[arg(long, value_name = "FILE", default_value = TERMINATION_LOG)]
    termination_log: PathBuf,
}

/// Runs one of the two to its end.
pub(super) fn run(args: &JobArgs, work: Work) -> ExitCode {
    process::report_panics_without_their_message();
    process::forbid_dumps();
    process::make_private_files();
    let environment = Environment::of_process();
    let verdict = match configure_and_run(&environment, work) {
        Ok(Some(verdict)) => verdict,
        Ok(None) => return ExitCode::FAILURE,
        // Nothing was looked at: whether an earlier run wrote is not known.
        Err(refusal) => Verdict::Refused(Refused {
            refusal,
            write_kid: None,
            touched: true,
        }),
    };
    let code = tell(&verdict);
    refusal::leave_termination_message(&args.termination_log, &to_json(&verdict));
    code
}

fn configure_and_run(environment: &Environment, work: Work) -> Result<Option<Verdict>, Refusal> {
    start::log(environment)?;
    let config = RotationConfig::read(environment)?;
    let run = job::run(config, Clock::system(), work);
    start::block_on(Threads::Two, RefusalReason::StorageFailed, run)?
}

fn tell(verdict: &Verdict) -> ExitCode {
    println!(
        "{}",
        serde_json::to_string_pretty(verdict).unwrap_or_default()
    );
    match verdict {
        Verdict::Refused(refused) => {
            let refusal = &refused.refusal;
            tracing::error!(
                reason = refusal.reason.as_str(),
                touched = refused.touched,
                "{}",
                refusal.message
            );
            ExitCode::from(refusal.reason.exit_code())
        }
        Verdict::Migrated(migrated) => {
            tracing::info!(
                rows = migrated.rows,
                epoch = migrated.epoch,
                "every value is sealed with the new key"
            );
            ExitCode::SUCCESS
        }
        Verdict::Certified(certificate) => {
            tracing::info!(kid = %certificate.to, "every value opened with the new key alone");
            ExitCode::SUCCESS
        }
        Verdict::Verified(verified) => {
            tracing::info!(kid = %verified.kid, rows = verified.rows, "every value opened with this key alone");
            ExitCode::SUCCESS
        }
    }
}

fn to_json(verdict: &Verdict) -> String {
    serde_json::to_string(verdict).unwrap_or_default()
}
