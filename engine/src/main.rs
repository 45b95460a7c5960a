//! The engine's command line.

use std::process::ExitCode;

use clap::Parser;
use userengine_engine::command::Cli;

fn main() -> ExitCode {
    Cli::parse().command.run()
}
