//! The log.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts the log. Libraries that would write bodies or headers stay at INFO whatever the level.
pub fn start(config: &LogConfig) {
    let mut filter =
        EnvFilter::default().add_directive(LevelFilter::from_level(config.level).into());
    for quiet in [
        "hyper=info",
        "kube_client=info",
        "tower=info",
        "rustls=info",
    ] {
        if let Ok(directive) = quiet.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.format {
        LogFormat::Json => log
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .init(),
        LogFormat::Pretty => log.init(),
    }
}
