//! Metrics, all with bounded labels: a route's template and never its path.

mod calls;

use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use calls::Calls;
pub use calls::ConnectionGauges;

/// All metrics of one engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    recoveries: IntCounter,
    open_count: IntGauge,
    calls: Calls,
    audit_rows_lost: IntCounter,
    refreshes: IntCounterVec,
    connections: IntGaugeVec,
}

/// Seconds. An engine answers most requests in less than a millisecond; a tool call takes what its server takes.
const BUCKETS: [f64; 10] = [
    0.000_25, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0,
];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Fresh metrics in a registry of their own, so that two engines in one process do not mix.
    pub fn new() -> Self {
        let registry = Registry::new();
        let requests = Opts::new(
            "engine_http_requests_total",
            "Requests answered, by route, method and status class.",
        );
        let durations = HistogramOpts::new(
            "engine_http_request_duration_seconds",
            "Time to answer, by route.",
        );
        let requests = valid(IntCounterVec::new(requests, &["route", "method", "status"]));
        let durations = valid(HistogramVec::new(
            durations.buckets(BUCKETS.to_vec()),
            &["route"],
        ));
        let recoveries = valid(IntCounter::new(
            "engine_recovered_unclean_stops_total",
            "Starts that found no clean hand-over.",
        ));
        let open_count = valid(IntGauge::new(
            "engine_brain_open_count",
            "How often this brain was opened.",
        ));
        let audit_rows_lost = valid(IntCounter::new(
            "engine_audit_rows_lost_total",
            "Audit rows of reads and of the connections' life that could not be stored.",
        ));
        let refreshes = valid(IntCounterVec::new(
            Opts::new(
                "engine_token_refreshes_total",
                "Refreshes of access tokens, by outcome.",
            ),
            &["outcome"],
        ));
        let connections = valid(IntGaugeVec::new(
            Opts::new(
                "engine_connections",
                "Connections to MCP servers, by status.",
            ),
            &["status"],
        ));
        let version = Opts::new("engine_info", "1, with the version as a label.");
        let info = valid(IntGauge::with_opts(
            version.const_label("version", env!("CARGO_PKG_VERSION")),
        ));
        info.set(1);
        valid(registry.register(Box::new(requests.clone())));
        valid(registry.register(Box::new(durations.clone())));
        valid(registry.register(Box::new(recoveries.clone())));
        valid(registry.register(Box::new(open_count.clone())));
        valid(registry.register(Box::new(audit_rows_lost.clone())));
        valid(registry.register(Box::new(refreshes.clone())));
        valid(registry.register(Box::new(connections.clone())));
        valid(registry.register(Box::new(info)));
        let calls = Calls::new(&registry);
        Self(Arc::new(Inner {
            registry,
            requests,
            durations,
            recoveries,
            open_count,
            calls,
            audit_rows_lost,
            refreshes,
            connections,
        }))
    }

    /// One answered request.
    pub fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.0
            .requests
            .with_label_values(&[route, method, status_class(status)])
            .inc();
        self.0
            .durations
            .with_label_values(&[route])
            .observe(took.as_secs_f64());
    }

    /// One opening of the brain.
    pub fn opened(&self, open_count: u64, recovered: bool) {
        self.0
            .open_count
            .set(i64::try_from(open_count).unwrap_or(i64::MAX));
        if recovered {
            self.0.recoveries.inc();
        }
    }

    /// An audit row that could not be stored.
    pub fn audit_row_lost(&self) {
        self.0.audit_rows_lost.inc();
    }

    /// A refresh came to an end.
    pub fn refreshed(&self, outcome: &'static str) {
        self.0.refreshes.with_label_values(&[outcome]).inc();
    }

    /// So many connections have this status.
    pub fn connections(&self, status: &'static str, count: usize) {
        let gauge = self.0.connections.with_label_values(&[status]);
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The text that Prometheus scrapes.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn status_class(status: u16) -> &'static str {
    match status {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

/// Names and labels are constants, so an error here is a typing error that every test would meet.
fn valid<T>(outcome: Result<T, prometheus::Error>) -> T {
    outcome.unwrap_or_else(|error| unreachable!("a metric is declared wrongly: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prometheus::proto::LabelPair;

    use super::*;

    /// A metric of the engine with its labels in order, from `name` or `name{label,label}`; `None` for any other text.
    fn metric(text: &str) -> Option<(&str, BTreeSet<&str>)> {
        let (name, labels) = text.split_once('{').unwrap_or((text, ""));
        let is_name = |c: char| c == '_' || c.is_ascii_lowercase();
        if !name.starts_with("engine_") || !name.chars().all(is_name) {
            return None;
        }
        let labels = labels.trim_end_matches('}').split(',');
        Some((name, labels.filter(|label| !label.is_empty()).collect()))
    }

    #[test]
    fn the_manual_names_every_metric_with_its_labels_and_no_other() {
        let metrics = Metrics::new();
        metrics.answered("/health", "GET", 200, Duration::ZERO);
        metrics.refreshed("ok");
        metrics.connections("active", 1);
        metrics.called("notes", "ok", Duration::ZERO);
        metrics.observe_connections(&[ConnectionGauges {
            alias: "notes".to_owned(),
            breaker: 0,
            tools: Some([1, 0, 0]),
        }]);
        let families = metrics.0.registry.gather();
        let shown: BTreeSet<_> = families
            .iter()
            .map(|family| {
                let first = family.get_metric().first().unwrap();
                let labels = first.get_label().iter().map(LabelPair::name);
                (family.name(), labels.collect())
            })
            .collect();
        let manual = include_str!("../../../docs/operations.md");
        let named = manual.split('`').skip(1).step_by(2).filter_map(metric);
        assert_eq!(named.collect::<BTreeSet<_>>(), shown);
    }
}
