//! The operator's command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use userengine_operator::config::{Config, WaitConfig};

/// Turns UserEngine objects into running, isolated engines.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watches and acts until it is told to stop.
    Run(Config),
    /// Waits until no engine is stopped for a rotation, so that the operator can be taken away.
    WaitForRotations(WaitConfig),
    /// Prints the CustomResourceDefinitions as YAML.
    Crd,
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Run(config) => userengine_operator::run::run(config)?,
        Command::WaitForRotations(config) => return userengine_operator::farewell::run(&config),
        Command::Crd => print_definitions()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_definitions() -> anyhow::Result<()> {
    for (_, definition) in userengine_api::crd::definitions() {
        print!("---\n{}", userengine_api::crd::to_yaml(&definition)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
