//! What the operator is told at start.

use std::net::SocketAddr;

use clap::Args;
use clap::builder::RangedU64ValueParser;

/// Settings of `operator run`. Each is a flag and a variable.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Namespace that the operator runs in; its pods may reach the engines' internal port.
    #[arg(long, env = "OPERATOR_NAMESPACE")]
    pub namespace: String,

    /// Address of health and metrics.
    #[arg(long, env = "OPERATOR_HTTP_ADDR", default_value = "0.0.0.0:8080")]
    pub http_addr: SocketAddr,

    /// How many engines are worked on at once.
    #[arg(long, env = "OPERATOR_CONCURRENCY", default_value = "16", value_parser = RangedU64ValueParser::<u16>::new().range(1..=256))]
    pub concurrency: u16,

    /// Level of the log: error, warn, info, debug or trace.
    #[arg(long, env = "OPERATOR_LOG_LEVEL", default_value = "info")]
    pub log_level: tracing::Level,

    /// Form of the log.
    #[arg(long, env = "OPERATOR_LOG_FORMAT", default_value = "json", value_enum)]
    pub log_format: LogFormat,
}

/// Form of the log.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}
