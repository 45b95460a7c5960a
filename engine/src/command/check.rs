//! `engine check`: what opens, what does not, and what is under way.

use std::process::ExitCode;
use std::sync::Arc;

use userengine_api::refusal::{Refusal, RefusalReason};
use userengine_brain::rotation::{Findings, inspect};

use super::start::{self, Threads};
use crate::clock::Clock;
use crate::config::{Environment, RotationConfig};
use crate::process;
use crate::ring::Ring;
use crate::vault::Vault;

/// What `--help` says of the variables.
pub(super) const VARIABLES: &str = "\
Variables:
  SQLITE_DB_PATH     the brain's file [default: /data/brain.sqlite]
  DATABASE_ID        the id that the brain must carry [default: whatever it carries]
  AD_ENCRYPTION_KEY  the encryption key                         } exactly
  KEYRING_DIR        a folder with one file a key, by its id    } one

Exit codes: 0 everything opens, 67 something does not open, or lies where no rotation would reach it. As `serve`: 64 configuration,
65 keys, 66 brain, 74 storage.";

/// Prints the findings.
pub(super) fn check() -> ExitCode {
    process::report_panics_without_their_message();
    process::forbid_dumps();
    process::make_private_files();
    match configure_and_look(&Environment::of_process()) {
        Ok(findings) => {
            print(&findings);
            if findings.all_is_well() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(RefusalReason::RowsUnreadable.exit_code())
            }
        }
        Err(refusal) => {
            eprintln!("engine check: {refusal}");
            ExitCode::from(refusal.reason.exit_code())
        }
    }
}

fn configure_and_look(environment: &Environment) -> Result<Findings, Refusal> {
    start::log(environment)?;
    let config = RotationConfig::read(environment)?;
    let vault = Arc::new(Vault::new(&Ring::load(config.ring)?, Clock::system()));
    let look = inspect(&config.brain, &vault);
    Ok(start::block_on(
        Threads::Two,
        RefusalReason::StorageFailed,
        look,
    )??)
}

fn print(findings: &Findings) {
    let (state, stock) = (&findings.state, &findings.stock);
    println!("brain      {}", state.database_id);
    println!("write key  {}", state.keys.write_kid);
    println!("epoch      {}", state.keys.epoch);
    if let Some(open) = &state.keys.open {
        println!(
            "rotation   {} is open: from {} to {}",
            open.id, open.from, open.to
        );
    }
    for (column, rows) in &stock.rows {
        println!("opens      {rows:>8}  {}", column.name());
    }
    for (kid, rows) in &findings.quarantined {
        println!("quarantine {rows:>8}  under {kid}, which is needed as long");
    }
    for row in &stock.unreadable {
        println!("shut       {}  {}", row.name, row.why);
    }
    if let Some(stray) = &findings.stray {
        println!(
            "astray     {}.{} holds a sealed value that no rotation would reach",
            stray.table, stray.column
        );
    }
}
