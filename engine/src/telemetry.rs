//! The log: one JSON object (or one readable line) an event, on standard error.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// rmcp repeats what servers say, at every level; `mcp` traces in its place.
const SILENT: &str = "rmcp";
/// Crates that write codes, tokens or headers into their debug log. They stay at INFO whatever the level.
const CAPPED: [&str; 5] = ["oauth2", "openidconnect", "reqwest", "hyper", "hyper_util"];

/// Installs the log for the whole process. A second call changes nothing.
pub fn install(config: LogConfig) {
    let registry = tracing_subscriber::registry().with(filter(config.level));
    let layer = fmt::layer().with_writer(std::io::stderr);
    let outcome = match config.format {
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_span_list(false))
            .try_init(),
        LogFormat::Pretty => registry.with(layer.with_ansi(false)).try_init(),
    };
    if outcome.is_err() {
        tracing::debug!("the log was installed before");
    }
}

/// What is logged at this level.
pub fn filter(level: Level) -> Targets {
    let cap = LevelFilter::from_level(level.min(Level::INFO));
    Targets::new()
        .with_default(level)
        .with_targets(CAPPED.map(|target| (target, cap)))
        .with_target(SILENT, LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_that_log_secrets_stay_at_info_whatever_the_level() {
        for target in CAPPED {
            assert!(
                !filter(Level::TRACE).would_enable(target, &Level::DEBUG),
                "{target}"
            );
            assert!(
                filter(Level::TRACE).would_enable(target, &Level::INFO),
                "{target}"
            );
            assert!(
                !filter(Level::ERROR).would_enable(target, &Level::WARN),
                "{target}"
            );
        }
        assert!(filter(Level::TRACE).would_enable("userengine_engine::run", &Level::TRACE));
        assert!(!filter(Level::TRACE).would_enable("rmcp::service", &Level::ERROR));
    }
}
