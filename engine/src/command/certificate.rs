//! `engine certificate verify`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use userengine_api::refusal::{Refusal, RefusalReason};
use userengine_brain::rotation::verify_certificate;
use userengine_brain::store::rotation::{Entry, Reading, State};
use userengine_brain::store::{BrainConfig, BrainMode};
use userengine_rotation::verdict::{Certificate, Verdict};

use super::start::{self, Threads};
use crate::clock::Clock;
use crate::config::{Environment, RingConfig, RotationConfig};
use crate::process;
use crate::ring::Ring;
use crate::vault::Vault;

/// What to do with a certificate.
#[derive(Debug, Subcommand)]
pub enum CertificateCommand {
    /// Check form and signature, and with --brain that the brain's rotation log has it and is a whole chain.
    ///
    /// Needs no cluster: only the key that the certificate vouches for.
    #[command(
        after_help = "Exit codes: 0 it is genuine, 67 it is not (the message says why), 64 configuration, 65 keys, 66 brain, 74 storage."
    )]
    Verify(VerifyArgs),
}

/// Options of `certificate verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The certificate, or the verdict that it came in, as JSON; `-` is standard input.
    file: PathBuf,
    /// The brain whose log should have it. It is only read; its engine may run.
    #[arg(long, value_name = "FILE")]
    brain: Option<PathBuf>,
    /// A folder with one file a key, named by its id [default: AD_ENCRYPTION_KEY or KEYRING_DIR]
    #[arg(long, value_name = "FOLDER")]
    keyring: Option<PathBuf>,
}

/// Runs it.
pub(super) fn run(command: CertificateCommand) -> ExitCode {
    process::forbid_dumps();
    let CertificateCommand::Verify(args) = command;
    match verify(args) {
        Ok(certificate) => {
            println!(
                "genuine: rotation {} of brain {}, everything opened with {} alone at {}",
                certificate.rotation,
                certificate.database_id,
                certificate.to,
                certificate.verified_at
            );
            println!("{}", made_by(&certificate));
            ExitCode::SUCCESS
        }
        Err(Problem::Refused(refusal)) => {
            eprintln!("engine certificate: {refusal}");
            ExitCode::from(refusal.reason.exit_code())
        }
        Err(Problem::Unfit(why)) => {
            eprintln!("engine certificate: not genuine: {why}");
            ExitCode::from(RefusalReason::InventoryChanged.exit_code())
        }
    }
}

/// An image runs under its digest: whoever asks this of an image learns whether it is the one that made the certificate.
fn made_by(certificate: &Certificate) -> String {
    let made_by = &certificate.binary;
    if made_by.is_empty() {
        return "made by a program that could not measure itself".to_owned();
    }
    match process::measure() {
        Some(own) if own == *made_by => format!("made by this very program, {own}"),
        Some(own) => format!("made by another program, {made_by}: this one is {own}"),
        None => format!("made by the program {made_by}"),
    }
}

enum Problem {
    Refused(Refusal),
    Unfit(String),
}

impl<E: Into<Refusal>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

fn verify(args: VerifyArgs) -> Result<Certificate, Problem> {
    let text = read(&args.file).map_err(|error| {
        let problem = format!("failed to read {}: {error}", args.file.display());
        Refusal::new(RefusalReason::ConfigInvalid, problem)
    })?;
    let ring = match args.keyring {
        Some(folder) => RingConfig::Folder(folder),
        None => RotationConfig::ring(&Environment::of_process())?,
    };
    let vault = Vault::new(&Ring::load(ring)?, Clock::system());
    let log = args.brain.map(log_of).transpose()?;
    let log = log
        .as_ref()
        .map(|(state, log)| (state.database_id.as_str(), log.as_slice()));
    verify_certificate(&bare(text), &vault, log).map_err(|error| Problem::Unfit(error.to_string()))
}

fn read(file: &Path) -> std::io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        Ok(text)
    } else {
        std::fs::read_to_string(file)
    }
}

/// The certificate inside a verdict; any other text as it is.
fn bare(text: String) -> String {
    match serde_json::from_str(&text) {
        Ok(Verdict::Certified(certificate)) => {
            serde_json::to_string(&certificate).unwrap_or_default()
        }
        _ => text,
    }
}

fn log_of(brain: PathBuf) -> Result<(State, Vec<Entry>), Refusal> {
    let config = BrainConfig {
        path: brain,
        mode: BrainMode::Existing,
        database_id: None,
    };
    let look = async {
        let mut reading = Reading::beside(&config).await?;
        let damaged = |error: crate::store::StoreError| {
            Refusal::new(RefusalReason::BrainCorrupt, error.to_string())
        };
        Ok((
            reading.state().await.map_err(damaged)?,
            reading.log().await.map_err(damaged)?,
        ))
    };
    start::block_on(Threads::One, RefusalReason::StorageFailed, look)?
}
