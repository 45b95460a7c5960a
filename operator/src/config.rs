//! What the operator is told at start.

use std::net::SocketAddr;

use clap::Args;
use clap::builder::{NonEmptyStringValueParser, RangedU64ValueParser};

use crate::namespaces::Namespaces;

/// Settings of `operator run`. Each is a flag and a variable.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Namespace that the operator runs in; its pods may reach the engines' internal port.
    #[arg(long, env = "OPERATOR_NAMESPACE")]
    pub namespace: String,

    /// Name of this replica, under which it leads: no other has it, and it is the same after a restart. Omitted: one at random.
    #[arg(long, env = "POD_NAME", value_parser = NonEmptyStringValueParser::new())]
    pub identity: Option<String>,

    /// Namespaces whose engines are looked after, joined by commas. Empty: all.
    #[arg(long, env = "OPERATOR_WATCH_NAMESPACES", default_value = "")]
    pub watch_namespaces: Namespaces,

    /// Address of health and metrics.
    #[arg(long, env = "OPERATOR_HTTP_ADDR", default_value = "0.0.0.0:8080")]
    pub http_addr: SocketAddr,

    /// How many engines are worked on at once.
    #[arg(long, env = "OPERATOR_CONCURRENCY", default_value = "16", value_parser = RangedU64ValueParser::<u16>::new().range(1..=256))]
    pub concurrency: u16,

    /// The log.
    #[command(flatten)]
    pub log: LogConfig,
}

/// Settings of `operator wait-for-rotations`.
#[derive(Args, Clone, Debug)]
pub struct WaitConfig {
    /// Longest wait, in seconds; after it the exit code is 75 if an engine is still stopped.
    #[arg(long, env = "OPERATOR_TIMEOUT_SECONDS", default_value = "240", value_parser = RangedU64ValueParser::<u64>::new().range(0..=86_400))]
    pub timeout_seconds: u64,

    /// Namespaces whose engines are waited for, joined by commas. Empty: all.
    #[arg(long, env = "OPERATOR_WATCH_NAMESPACES", default_value = "")]
    pub watch_namespaces: Namespaces,

    /// The log.
    #[command(flatten)]
    pub log: LogConfig,
}

/// Settings of the log.
#[derive(Args, Clone, Debug)]
pub struct LogConfig {
    /// Level of the log: error, warn, info, debug or trace.
    #[arg(long = "log-level", env = "OPERATOR_LOG_LEVEL", default_value = "info")]
    pub level: tracing::Level,

    /// Form of the log.
    #[arg(
        long = "log-format",
        env = "OPERATOR_LOG_FORMAT",
        default_value = "json",
        value_enum
    )]
    pub format: LogFormat,
}

/// Form of the log.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}
