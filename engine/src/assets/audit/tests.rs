use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use userengine_api::key::{EncryptionKey, KEY_BYTES};

use super::writer::WINDOW;
use super::*;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::ring::{Ring, RingConfig};
use crate::store::{self, AuditRow, BrainConfig, BrainMode};
use crate::vault::Vault;

struct Brain {
    store: Arc<Store>,
    audit: Audit,
    metrics: Metrics,
    clock: Clock,
    _folder: TempDir,
}

impl Brain {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let key = EncryptionKey::from_bytes([1; KEY_BYTES]);
        let ring = Ring::load(RingConfig::Single(key)).unwrap();
        let config = BrainConfig {
            path: folder.path().join("brain.sqlite"),
            mode: BrainMode::Create,
            database_id: None,
        };
        let vault = Vault::new(&ring, clock.clone());
        let store = Arc::new(store::open(&config, &vault, &clock).await.unwrap().store);
        let metrics = Metrics::new();
        let audit = Audit::start(&store, clock.clone(), metrics.clone());
        Self {
            store,
            audit,
            metrics,
            clock,
            _folder: folder,
        }
    }

    async fn rows(&self) -> Vec<AuditRow> {
        self.store.audit_page(None, 1000).await.unwrap()
    }

    /// The volume is as good as full: the brain may not grow.
    async fn fill(&self) {
        self.store.limit_pages(1).await.unwrap();
    }
}

fn record(tool: &str) -> Record {
    Record::new(AuditKind::ToolCall).tool(tool)
}

#[tokio::test]
async fn a_stored_row_is_there_when_it_is_said_to_be() {
    let brain = Brain::open().await;
    let id = brain
        .audit
        .store(record("a").outcome("started"))
        .await
        .unwrap();
    let rows = brain.rows().await;
    assert_eq!(
        (rows.len(), rows[0].outcome.as_str(), rows[0].at.as_str()),
        (1, "started", "2026-01-01T00:00:00.000Z")
    );
    let details = json!({ "reason": "timeout" }).as_object().unwrap().clone();
    brain.audit.finish(
        id,
        "MCP_CONNECTION_FAILED",
        Duration::from_millis(7),
        details,
    );
    brain.audit.drain().await;
    let rows = brain.rows().await;
    assert_eq!(
        (rows[0].outcome.as_str(), rows[0].duration_ms),
        ("MCP_CONNECTION_FAILED", Some(7))
    );
    assert_eq!(rows[0].details, r#"{"reason":"timeout"}"#);
}

#[tokio::test]
async fn rows_that_are_stored_at_once_get_the_ids_that_belong_to_them() {
    let brain = Brain::open().await;
    let records = (0..100).map(|n| brain.audit.store(record(&n.to_string())));
    for (n, id) in futures::future::join_all(records)
        .await
        .into_iter()
        .enumerate()
    {
        brain
            .audit
            .finish(id.unwrap(), n.to_string(), Duration::ZERO, Map::new());
    }
    brain.audit.drain().await;
    let rows = brain.rows().await;
    assert_eq!(rows.len(), 100);
    assert!(
        rows.iter()
            .all(|row| row.tool.as_deref() == Some(&row.outcome))
    );
}

#[tokio::test]
async fn rows_that_may_wait_are_committed_together_within_the_window() {
    let brain = Brain::open().await;
    let began = Instant::now();
    for n in 0..1000 {
        brain.audit.record(record(&n.to_string()));
    }
    while brain.rows().await.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(
        brain.rows().await.len(),
        1000,
        "all of them, as soon as one of them"
    );
}

#[tokio::test]
async fn rows_that_keep_coming_are_committed_once_a_window() {
    let brain = Brain::open().await;
    let (mut commits, mut newest) = (0, None);
    let began = Instant::now();
    while began.elapsed() < 10 * WINDOW {
        // More often than a commit takes: the next rows are there before one is done.
        brain.audit.record(record("a"));
        let rows = brain.store.audit_page(None, 1).await.unwrap();
        let seen = rows.first().map(|row| row.id);
        commits += u128::from(std::mem::replace(&mut newest, seen) != seen);
    }
    let windows = began.elapsed().as_millis() / WINDOW.as_millis();
    assert!(
        (1..=windows + 1).contains(&commits),
        "{commits} commits in {windows} windows"
    );
}

#[tokio::test]
async fn a_full_volume_refuses_what_must_be_durable_and_keeps_the_rest_for_later() {
    let brain = Brain::open().await;
    brain.fill().await;
    // The last page has room for a few rows.
    let full = async { while brain.audit.store(record("x")).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), full)
        .await
        .unwrap();
    assert!(brain.audit.store(record("refused")).await.is_err());
    brain.audit.record(record("kept"));
    brain.audit.drain().await;
    assert!(
        brain
            .rows()
            .await
            .iter()
            .all(|row| row.tool.as_deref() != Some("kept"))
    );
    brain.store.limit_pages(u32::MAX - 1).await.unwrap();
    assert!(brain.audit.store(record("taken")).await.is_ok());
    brain.audit.drain().await;
    let tools: Vec<_> = brain
        .rows()
        .await
        .into_iter()
        .filter_map(|row| row.tool)
        .collect();
    assert!(tools.contains(&"kept".to_owned()) && !tools.contains(&"refused".to_owned()));
}

#[tokio::test]
async fn rows_beyond_the_queue_are_counted_and_hold_nobody_up() {
    let brain = Brain::open().await;
    // Nothing is written while this test does not wait: the queue is all there is.
    for _ in 0..10_000 {
        brain.audit.record(record("a"));
    }
    let text = brain.metrics.render().unwrap();
    assert!(text.contains("engine_audit_rows_lost_total 1808"), "{text}");
    brain.audit.drain().await;
    assert_eq!(
        brain.store.audit_page(None, 20_000).await.unwrap().len(),
        8192
    );
}

#[tokio::test]
async fn old_rows_and_rows_beyond_the_limit_are_deleted_a_few_at_a_time() {
    let brain = Brain::open().await;
    for day in 0..10 {
        for _ in 0..10 {
            brain.audit.store(record(&day.to_string())).await.unwrap();
        }
        brain.clock.advance(Duration::from_hours(24));
    }
    let days = async || -> Vec<String> {
        let mut days: Vec<_> = brain
            .rows()
            .await
            .into_iter()
            .filter_map(|row| row.tool)
            .collect();
        days.dedup();
        days.reverse();
        days
    };
    let cutoff: Timestamp = "2026-01-04T00:00:00Z".parse().unwrap();
    let trim = async |older_than: &str, keep, chunk| {
        brain
            .store
            .trim_audit(older_than, keep, chunk)
            .await
            .unwrap()
    };
    assert_eq!(trim(&format!("{cutoff:.3}"), 1000, 7).await, 7);
    assert_eq!(trim(&format!("{cutoff:.3}"), 1000, 1000).await, 23);
    assert_eq!(days().await, ["3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(trim("", 20, 1000).await, 50);
    assert_eq!(days().await, ["8", "9"]);
    assert_eq!(trim("", 20, 1000).await, 0);

    assert_eq!(trim("9999", 0, 1000).await, 19);
    let newest = brain.rows().await.remove(0).id;
    brain.audit.store(record("later")).await.unwrap();
    let rows = brain.rows().await;
    assert_eq!((rows.len(), rows[0].id), (2, newest + 1), "no id twice");
}

#[tokio::test]
async fn a_caller_who_gave_up_before_the_row_was_stored_leaves_a_row_that_says_so() {
    let brain = Brain::open().await;
    // Asked for, and dropped before the writer has had a turn.
    drop(Box::pin(brain.audit.store(record("a").outcome("started"))));
    {
        let mut asked = Box::pin(brain.audit.store(record("b").outcome("started")));
        assert!(futures::poll!(&mut asked).is_pending());
    }
    brain.audit.drain().await;
    let rows = brain.rows().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].tool.as_deref(), rows[0].outcome.as_str()),
        (Some("b"), "not_called")
    );
}
