//! The subcommands, one a file.

mod catalog_schema;
mod certificate;
mod check;
mod job;
mod keygen;
mod mending;
mod openapi;
mod refusal;
mod relay;
mod serve;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use userengine_api::layout::TERMINATION_LOG;

use crate::job::Work;

/// The per-user engine: one brain, one ring of keys, one HTTP API.
#[derive(Debug, Parser)]
#[command(name = "engine", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the brain and serve until SIGTERM or SIGINT.
    #[command(after_help = VARIABLES)]
    Serve(ServeArgs),
    /// Send each provider's answer on to the engine that asked for it, until SIGTERM or SIGINT.
    ///
    /// One callback URL for all engines of a class; needs neither a brain nor a key.
    #[command(after_help = relay::VARIABLES)]
    Relay(ServeArgs),
    /// Seal every value of the brain with another key, while its engine is stopped.
    ///
    /// Checks everything first: a run that refuses leaves the brain as it was. May be killed at any moment and run again; the
    /// engine can be started with both keys at every moment. `verify` then closes the rotation.
    #[command(after_help = job::VARIABLES)]
    Migrate(job::JobArgs),
    /// Open every value of the brain with one key alone, while its engine is stopped.
    ///
    /// After `migrate`, with the new key and no other: closes the rotation and prints its certificate; again, if it was closed
    /// before. Without ROTATION_ID: writes down that everything opened.
    #[command(after_help = job::VARIABLES)]
    Verify(job::JobArgs),
    /// Open every value of the brain with the ring, and list what does not open: ids and reasons, never a value.
    ///
    /// Reads only; the engine may be running.
    #[command(after_help = check::VARIABLES)]
    Check,
    /// Check the certificate of a rotation.
    #[command(subcommand)]
    Certificate(certificate::CertificateCommand),
    /// Print a new encryption key (44 characters) and nothing else.
    ///
    /// Store it as it is, without the newline at the end. Whoever loses it loses every credential in the brain.
    Keygen,
    /// Print the description of the HTTP API (OpenAPI, JSON).
    Openapi,
    /// Print the JSON Schema of the files of the catalog.
    CatalogSchema,
}

/// Options of `serve` and `relay`. Everything else is configured by variables.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// File that takes the reason when the process refuses to start. It is written only if it exists.
    #[arg(long, value_name = "FILE", default_value = TERMINATION_LOG)]
    termination_log: PathBuf,
}

impl Command {
    /// Runs the command to its end.
    pub fn run(self) -> ExitCode {
        match self {
            Self::Serve(args) => serve::serve(&args),
            Self::Relay(args) => relay::relay(&args),
            Self::Migrate(args) => job::run(&args, Work::Migrate),
            Self::Verify(args) => job::run(&args, Work::Verify),
            Self::Check => check::check(),
            Self::Certificate(command) => certificate::run(command),
            Self::Keygen => keygen::keygen(),
            Self::Openapi => openapi::openapi(),
            Self::CatalogSchema => catalog_schema::catalog_schema(),
        }
    }
}

const VARIABLES: &str = "\
Variables:
  SQLITE_DB_PATH          the brain's file [default: /data/brain.sqlite]
  BRAIN_MODE              create | existing [default: create it if the file is absent]
  BRAIN_WAIT_SECONDS      how long a start waits for another engine that has the brain, 0 to 600 [default: 30]
  REFUSAL_FILE            where a refused start leaves why; the next one waits until that is mended [default: it is refused again]
  DATABASE_ID             the id that the brain must carry; a new brain gets it [default: a random one]
  AD_ENCRYPTION_KEY       the encryption key, as `engine keygen` prints it  } exactly
  KEYRING_DIR             a folder with one file a key, named by its id     } one
  ENGINE_API_KEY          the key that callers send as X-Engine-Key         }
  ENGINE_KEY_HASH         its SHA-256 in hex; a comma list, current first   } exactly
  ENGINE_KEY_HASH_FILE    a file with the same list, read when it changes   } one
  LISTEN_ADDR             address of the API [default: 0.0.0.0:8080]
  INTERNAL_ADDR           address of probes, metrics and /keys [default: 0.0.0.0:9090]
  PUBLIC_URL              where the outside reaches this engine (https, or http on loopback)
  CATALOG_DIR             a folder with the MCP servers that can be connected to, as JSON files [default: none]
  SECRETS_DIR             a folder with the files that catalog entries name as <secret>/<key>
  OAUTH_REDIRECT_BASE_URL where providers send users back to, the relay's if there is one [default: PUBLIC_URL, else this machine]
  CLIENT_METADATA_DOCUMENT       offer it to providers: auto (unless the callback's base is plainly internal) | always | never [default: auto]
  EGRESS_ALLOW            private addresses that may be called: a comma list of CIDR, HOST:PORT, or http://HOST:PORT for plain HTTP
  EXTRA_CA_FILE           a PEM file with certificate authorities to trust beside the public ones
  ENGINE_NAME             <namespace>.<name>, in a pod: the relay finds the engine by it, and no stdio server is started
  CALLS_PER_CONNECTION    tool calls at once through one connection, 1 to 1000 [default: 16]
  CALLS_PER_ENGINE        tool calls at once through the engine, 1 to 10000 [default: 64]
  CALL_TIMEOUT_SECONDS    how long a tool call may take, 1 to 600 [default: 60]
  BREAKER_FAILURES        failures that open a connection's breaker, 1 to 1000 [default: 5]
  BREAKER_FAILURE_PERCENT ... if they are this part of its calls, 1 to 100 [default: 50]
  BREAKER_WINDOW_SECONDS  ... within this time, 1 to 600 [default: 30]
  BREAKER_COOL_DOWN_SECONDS      rest after time-outs and 5xx, doubled each time, 1 to 3600 [default: 30]
  BREAKER_COOL_DOWN_MAX_SECONDS  ... up to this, 1 to 3600 [default: 300]
  SHUTDOWN_GRACE_SECONDS  how long a stop waits for requests in flight, 1 to 600 [default: 25]
  ENGINE_LOG_LEVEL        error | warn | info | debug | trace [default: info]
  ENGINE_LOG_FORMAT       json | pretty [default: json]

Exit codes: 0 stopped cleanly, 1 cut short by a second signal, 64 configuration, 65 keys, 66 brain, 74 storage, 75 another engine has the brain.";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;
    use userengine_api::layout::env;

    use super::*;

    /// The variables that a help text explains.
    fn explained(help: &'static str) -> BTreeSet<&'static str> {
        let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
        lines
            .filter_map(|line| line.split(' ').next())
            .filter(|word| !word.is_empty())
            .collect()
    }

    #[test]
    fn help_explains_every_variable_and_no_other() {
        let serve = explained(VARIABLES);
        let elsewhere = [relay::VARIABLES, job::VARIABLES, check::VARIABLES].map(explained);
        let all: BTreeSet<_> = env::ALL.iter().copied().collect();
        let known: BTreeSet<_> = elsewhere
            .into_iter()
            .flatten()
            .chain(serve.clone())
            .collect();
        assert_eq!(known, all);
        let not_of_serve = |name: &&str| {
            name.starts_with("ROTATION_")
                || [env::ENGINE_IMAGE, env::ENGINE_URL_TEMPLATE].contains(name)
        };
        let left: BTreeSet<_> = all.difference(&serve).copied().collect();
        assert_eq!(left, all.into_iter().filter(not_of_serve).collect());
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
