//! Metrics of tool calls and of what holds them back.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{BUCKETS, valid};

/// Labels are names of the catalog and aliases of connections that exist, and words of ours.
#[derive(Debug)]
pub(super) struct Calls {
    answered: IntCounterVec,
    durations: HistogramVec,
    breakers: IntGaugeVec,
    tools: IntGaugeVec,
}

impl Calls {
    pub(super) fn new(registry: &Registry) -> Self {
        let calls = Opts::new(
            "engine_tool_calls_total",
            "Tool calls, by the catalog's name of the server and by outcome.",
        );
        let durations = HistogramOpts::new(
            "engine_tool_call_duration_seconds",
            "Time of tool calls, by the catalog's name of the server.",
        );
        let breakers = Opts::new(
            "engine_breaker_state",
            "Breaker of each connection: 0 closed, 1 half open, 2 open.",
        );
        let tools = Opts::new(
            "engine_tools",
            "Tools that the engine knows, by alias and by state: offered, changed, hidden.",
        );
        let calls = Self {
            answered: valid(IntCounterVec::new(calls, &["server", "outcome"])),
            durations: valid(HistogramVec::new(
                durations.buckets(BUCKETS.to_vec()),
                &["server"],
            )),
            breakers: valid(IntGaugeVec::new(breakers, &["alias"])),
            tools: valid(IntGaugeVec::new(tools, &["alias", "state"])),
        };
        valid(registry.register(Box::new(calls.answered.clone())));
        valid(registry.register(Box::new(calls.durations.clone())));
        valid(registry.register(Box::new(calls.breakers.clone())));
        valid(registry.register(Box::new(calls.tools.clone())));
        calls
    }
}

/// What a connection is doing when somebody looks.
#[derive(Debug)]
pub struct ConnectionGauges {
    /// Its alias.
    pub alias: String,
    /// 0 closed, 1 half open, 2 open.
    pub breaker: i64,
    /// Tools that are offered, those that changed among them, and those that are not offered; `None` if nobody has asked yet.
    pub tools: Option<[usize; 3]>,
}

impl super::Metrics {
    /// A tool call came to its end.
    pub fn called(&self, server: &str, outcome: &'static str, took: Duration) {
        let calls = &self.0.calls;
        calls.answered.with_label_values(&[server, outcome]).inc();
        let durations = calls.durations.with_label_values(&[server]);
        durations.observe(took.as_secs_f64());
    }

    /// The connections as they are now. Those that are gone lose their series.
    pub fn observe_connections(&self, connections: &[ConnectionGauges]) {
        let calls = &self.0.calls;
        calls.breakers.reset();
        calls.tools.reset();
        for connection in connections {
            let alias = connection.alias.as_str();
            calls
                .breakers
                .with_label_values(&[alias])
                .set(connection.breaker);
            let counts = connection.tools.into_iter().flatten();
            for (state, count) in ["offered", "changed", "hidden"].into_iter().zip(counts) {
                let gauge = calls.tools.with_label_values(&[alias, state]);
                gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }
}
