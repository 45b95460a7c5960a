//! The operator's metrics. Every label has a bounded set of values.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};
use userengine_api::status::Phase;

/// All metrics, and what is needed to keep the gauges true.
pub struct Metrics {
    registry: Registry,
    reconciles: HistogramVec,
    writes: IntCounterVec,
    engines: IntGaugeVec,
    phases: Mutex<HashMap<String, Phase>>,
}

impl Metrics {
    /// Registers every metric.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("userengine_operator".to_owned()), None)?;
        let reconciles = HistogramVec::new(
            HistogramOpts::new(
                "reconcile_duration_seconds",
                "Time of one reconcile by outcome",
            )
            .buckets(vec![
                0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
            ]),
            &["outcome"],
        )?;
        let writes = IntCounterVec::new(
            Opts::new(
                "api_writes_total",
                "Writes to the API server by verb and kind",
            ),
            &["verb", "kind"],
        )?;
        let engines = IntGaugeVec::new(Opts::new("engines", "Engines by phase"), &["phase"])?;
        registry.register(Box::new(reconciles.clone()))?;
        registry.register(Box::new(writes.clone()))?;
        registry.register(Box::new(engines.clone()))?;
        for phase in Phase::ALL {
            engines.with_label_values(&[phase.as_str()]).set(0);
        }
        Ok(Self {
            registry,
            reconciles,
            writes,
            engines,
            phases: Mutex::default(),
        })
    }

    /// One reconcile ended after `took` with `outcome`, a word from a fixed set.
    pub fn reconciled(&self, outcome: &'static str, took: Duration) {
        self.reconciles
            .with_label_values(&[outcome])
            .observe(took.as_secs_f64());
    }

    /// One write went to the API server.
    pub fn wrote(&self, verb: &'static str, kind: &'static str) {
        self.writes.with_label_values(&[verb, kind]).inc();
    }

    /// The engine with this uid is in `phase` now; `None`: it is gone.
    pub fn engine(&self, uid: &str, phase: Option<Phase>) {
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match phase {
            Some(phase) => phases.insert(uid.to_owned(), phase),
            None => phases.remove(uid),
        };
        if let Some(before) = before {
            self.engines.with_label_values(&[before.as_str()]).dec();
        }
        if let Some(phase) = phase {
            self.engines.with_label_values(&[phase.as_str()]).inc();
        }
    }

    /// The Prometheus text format.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_engine_once_whatever_it_goes_through() {
        let metrics = Metrics::new().unwrap();
        metrics.engine("a", Some(Phase::Starting));
        metrics.engine("a", Some(Phase::Ready));
        metrics.engine("b", Some(Phase::Ready));
        metrics.engine("b", None);
        let text = metrics.text().unwrap();
        assert!(
            text.contains(r#"userengine_operator_engines{phase="Ready"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"userengine_operator_engines{phase="Starting"} 0"#),
            "{text}"
        );
    }
}
