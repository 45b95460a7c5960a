//! The operator's metrics. Every label has a bounded set of values.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use userengine_api::status::Phase;
use userengine_rotation::ledger::{self, Outcome};

/// All metrics, and what is needed to keep the gauges true.
pub struct Metrics {
    registry: Registry,
    reconciles: HistogramVec,
    writes: IntCounterVec,
    engines: IntGaugeVec,
    counted: Mutex<HashMap<String, Counted>>,
    rotations: IntCounterVec,
    rotation_phases: HistogramVec,
    rotating: Mutex<HashMap<String, (ledger::Phase, Instant)>>,
    rows: IntCounter,
    oldest_key: IntGauge,
    keys: Mutex<HashMap<String, Timestamp>>,
    leader: IntGauge,
}

/// As what an engine is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// As one in this phase.
    In(Phase),
    /// As one whose deletion has failed, and is tried again. It has no phase any more.
    Deleting,
}

impl Counted {
    fn label(self) -> &'static str {
        match self {
            Self::In(phase) => phase.as_str(),
            Self::Deleting => "Deleting",
        }
    }
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
                "Writes to the API server by verb and kind, without Events and the Lease",
            ),
            &["verb", "kind"],
        )?;
        let engines = IntGaugeVec::new(Opts::new("engines", "Engines by phase"), &["phase"])?;
        let rotations = IntCounterVec::new(
            Opts::new("rotations_total", "Rotations that ended, by outcome"),
            &["outcome"],
        )?;
        let rotation_phases = HistogramVec::new(
            HistogramOpts::new(
                "rotation_phase_duration_seconds",
                "Time that a rotation spent in a phase, each time it was in it",
            )
            .buckets(vec![
                0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 7200.0,
            ]),
            &["phase"],
        )?;
        let rows = IntCounter::new(
            "rotated_rows_total",
            "Sealed values that were verified under another key",
        )?;
        let oldest_key = IntGauge::new(
            "oldest_active_key_age_seconds",
            "Age of the oldest key that an engine seals with",
        )?;
        let leader = IntGauge::new("leader", "1 while this replica leads, else 0")?;
        registry.register(Box::new(leader.clone()))?;
        registry.register(Box::new(rotations.clone()))?;
        registry.register(Box::new(rotation_phases.clone()))?;
        registry.register(Box::new(rows.clone()))?;
        registry.register(Box::new(oldest_key.clone()))?;
        registry.register(Box::new(reconciles.clone()))?;
        registry.register(Box::new(writes.clone()))?;
        registry.register(Box::new(engines.clone()))?;
        for counted in Phase::ALL
            .into_iter()
            .map(Counted::In)
            .chain([Counted::Deleting])
        {
            engines.with_label_values(&[counted.label()]).set(0);
        }
        // From the start: what appears with its first 1 has not increased.
        for outcome in OUTCOMES {
            rotations.with_label_values(&[outcome_label(outcome)]);
        }
        Ok(Self {
            registry,
            reconciles,
            writes,
            engines,
            counted: Mutex::default(),
            rotations,
            rotation_phases,
            rotating: Mutex::default(),
            rows,
            oldest_key,
            keys: Mutex::default(),
            leader,
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

    /// This engine, by namespace and name, is counted so from now on; `None`: as none.
    pub fn engine(&self, engine: &str, counted: Option<Counted>) {
        let mut all = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match counted {
            Some(counted) => all.insert(engine.to_owned(), counted),
            None => all.remove(engine),
        };
        if let Some(before) = before {
            self.engines.with_label_values(&[before.label()]).dec();
        }
        if let Some(counted) = counted {
            self.engines.with_label_values(&[counted.label()]).inc();
        }
    }

    /// This replica leads from now on, to its end.
    pub fn leads(&self) {
        self.leader.set(1);
    }

    /// The rotation of this engine's key is in this phase from now on; `None`: it is over. How long one took that began before this
    /// process is not known.
    pub fn rotates(&self, engine: &str, phase: Option<ledger::Phase>) {
        let mut rotating = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match phase {
            Some(phase) => rotating.insert(engine.to_owned(), (phase, Instant::now())),
            None => rotating.remove(engine),
        };
        if let Some((phase, since)) = before {
            self.rotation_phases
                .with_label_values(&[phase_label(phase)])
                .observe(since.elapsed().as_secs_f64());
        }
    }

    /// This engine is gone, and how long its rotation took says nothing.
    pub fn forget_rotation(&self, engine: &str) {
        let mut rotating = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        rotating.remove(engine);
    }

    /// A rotation ended; so many sealed values were verified under another key.
    pub fn rotated(&self, outcome: Outcome, rows: u64) {
        let outcome = outcome_label(outcome);
        self.rotations.with_label_values(&[outcome]).inc();
        self.rows.inc_by(rows);
    }

    /// This engine seals with a key that was made then; `None`: it has none, or is gone.
    pub fn key(&self, engine: &str, created: Option<Timestamp>) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match created {
            Some(created) => keys.insert(engine.to_owned(), created),
            None => keys.remove(engine),
        };
    }

    fn age_of_oldest_key(&self) -> i64 {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = keys.values().min();
        oldest.map_or(0, |oldest| {
            crate::clock::now().duration_since(*oldest).as_secs()
        })
    }

    /// The Prometheus text format.
    pub fn text(&self) -> prometheus::Result<String> {
        self.oldest_key.set(self.age_of_oldest_key());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

const OUTCOMES: [Outcome; 4] = [
    Outcome::Certified,
    Outcome::Rejected,
    Outcome::Refused,
    Outcome::Failed,
];

fn phase_label(phase: ledger::Phase) -> &'static str {
    match phase {
        ledger::Phase::Minting => "Minting",
        ledger::Phase::Quiescing => "Quiescing",
        ledger::Phase::Running => "Running",
        ledger::Phase::Clearing => "Clearing",
    }
}

fn outcome_label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Certified => "certified",
        Outcome::Rejected => "rejected",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn counts_each_engine_once_whatever_it_goes_through() {
        let metrics = Metrics::new().unwrap();
        metrics.engine("a", Some(Counted::In(Phase::Starting)));
        metrics.engine("a", Some(Counted::In(Phase::Ready)));
        metrics.engine("b", Some(Counted::In(Phase::Ready)));
        metrics.engine("b", Some(Counted::Deleting));
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

    #[test]
    fn the_manual_names_every_metric_with_its_labels_and_no_other() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciled("ok", Duration::ZERO);
        metrics.wrote("create", "Pod");
        metrics.rotates("a", Some(ledger::Phase::Running));
        metrics.rotates("a", None);
        let shown: BTreeSet<_> = metrics.text().unwrap().lines().filter_map(name).collect();
        let manual = include_str!("../../docs/operations.md");
        // It says each once between backticks, and some in an expression.
        let words = manual.split(|c: char| c.is_whitespace() || "`()".contains(c));
        let named: BTreeSet<_> = words.filter_map(name).collect();
        let bare = |names: &BTreeSet<(String, BTreeSet<String>)>| -> BTreeSet<_> {
            names.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(bare(&named), bare(&shown));
        assert!(shown.is_subset(&named), "{shown:?} {named:?}");
    }

    /// A metric of the operator and the names of its labels, as a line of text begins with it.
    fn name(line: &str) -> Option<(String, BTreeSet<String>)> {
        let line = line.strip_prefix("userengine_operator_")?;
        let end = line.find(|c: char| c != '_' && !c.is_ascii_lowercase());
        let (name, rest) = line.split_at(end.unwrap_or(line.len()));
        let of_histogram = ["_bucket", "_sum", "_count"];
        let name = of_histogram
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        let labels = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let labels = labels.map_or("", |(labels, _)| labels).split(',');
        let labels = labels.map(|label| label.split_once('=').map_or(label, |(name, _)| name));
        let labels = labels.filter(|label| !label.is_empty() && *label != "le");
        Some((name.to_owned(), labels.map(str::to_owned).collect()))
    }

    #[test]
    fn a_first_rotation_that_fails_is_an_increase() {
        let metrics = Metrics::new().unwrap();
        let failed = |times: u32| {
            let line =
                format!(r#"userengine_operator_rotations_total{{outcome="failed"}} {times}"#);
            metrics.text().unwrap().contains(&line)
        };
        assert!(failed(0));
        metrics.rotated(Outcome::Failed, 0);
        assert!(failed(1));
    }

    #[test]
    fn the_time_of_a_phase_is_told_once_it_is_over_and_of_engines_that_are_there() {
        let metrics = Metrics::new().unwrap();
        metrics.rotates("a", Some(ledger::Phase::Quiescing));
        metrics.rotates("a", Some(ledger::Phase::Running));
        metrics.rotates("b", None);
        metrics.forget_rotation("a");
        metrics.rotates("a", None);
        let text = metrics.text().unwrap();
        let count = |phase: &str| {
            let line = format!(r#"phase_duration_seconds_count{{phase="{phase}"}} 1"#);
            text.contains(&line)
        };
        assert!(count("Quiescing") && !count("Running"), "{text}");
    }

    #[test]
    fn the_age_of_keys_is_that_of_the_oldest_which_somebody_still_seals_with() {
        let metrics = Metrics::new().unwrap();
        assert_eq!(metrics.age_of_oldest_key(), 0);
        let now = crate::clock::now();
        metrics.key("a", Some(now - jiff::SignedDuration::from_hours(2)));
        metrics.key("b", Some(now - jiff::SignedDuration::from_hours(1)));
        assert!(metrics.age_of_oldest_key() >= 7200);
        metrics.key("a", None);
        let text = metrics.text().unwrap();
        assert!(text.contains("oldest_active_key_age_seconds 36"), "{text}");
    }
}
