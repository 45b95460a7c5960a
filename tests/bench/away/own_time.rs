//! The part of a rotation that is work of the engine's program, in its own words: the times of its log lines.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, LogParams, WatchParams};
use kube::{Api, ResourceExt};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use userengine_e2e::Namespace;

use crate::watching::{DEADLINE, Events, seen, watch_those};

/// Between two questions whether a container has a log.
const STEP: Duration = Duration::from_millis(50);
/// What `migrate` says at its end.
const MIGRATED: &str = "every value is sealed with the new key";
/// What `verify` says at its end.
const VERIFIED: &str = "every value opened with the new key alone";

/// Milliseconds of each step of one rotation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OwnTime {
    /// From the signal to the brain's hand-over.
    pub drain: f64,
    /// The container that seals.
    pub migrate: f64,
    /// The container that verifies.
    pub verify: f64,
    /// From the start of the process until it serves.
    pub open: f64,
}

impl OwnTime {
    /// All of it.
    pub fn total(&self) -> f64 {
        let all = self.drain + self.migrate + self.verify + self.open;
        (all * 1e3).round() / 1e3
    }

    /// Reads the logs of the engine before, of the Job's pod, and of the engine after.
    pub async fn read(followed: Followed, namespace: &Namespace) -> anyhow::Result<Self> {
        let engine = followed.engine.await.context("the log was lost")??;
        let (migrate, verify) = followed.job.await.context("the logs were lost")??;
        let after = log(namespace, &followed.pod, None, false).await?;
        Ok(Self {
            drain: between(&engine, "stopping", "handed over")?,
            migrate: between(&migrate, "working", MIGRATED)?,
            verify: between(&verify, "working", VERIFIED)?,
            open: said(&after, "serving")?
                .get("start_ms")
                .and_then(Value::as_f64)
                .context("no start_ms")?,
        })
    }
}

/// Logs that are read while they grow: of pods that will be gone.
pub struct Followed {
    pod: String,
    engine: JoinHandle<anyhow::Result<Vec<String>>>,
    job: JoinHandle<anyhow::Result<(Vec<String>, Vec<String>)>>,
}

impl Followed {
    /// Begins with the engine's pod. The Job's pod is one of these that is not there yet.
    pub async fn begin(namespace: &Namespace, pod: String, jobs: &str) -> anyhow::Result<Self> {
        let chosen = ListParams::default().labels(jobs);
        let former = namespace.api::<Pod>().list_metadata(&chosen).await?;
        let former: Vec<_> = former.iter().filter_map(ResourceExt::uid).collect();
        let events = watch_those(namespace, WatchParams::default().labels(jobs)).await?;
        let (here, engine) = (namespace.clone(), pod.clone());
        let engine = tokio::spawn(async move { log(&here, &engine, None, true).await });
        let job = tokio::spawn(of_job(namespace.clone(), events, former));
        Ok(Self { pod, engine, job })
    }
}

async fn of_job(
    namespace: Namespace,
    mut events: Events<Pod>,
    former: Vec<String>,
) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let name = OnceLock::new();
    let is_new = |pod: &Pod| {
        pod.uid().is_some_and(|uid| !former.contains(&uid)) && name.set(pod.name_any()).is_ok()
    };
    seen(&mut events, is_new, "the Job has a pod").await?;
    let pod = name.get().context("a pod has a name")?;
    let migrate = whole(&namespace, pod, "migrate", MIGRATED).await?;
    Ok((migrate, whole(&namespace, pod, "verify", VERIFIED).await?))
}

/// The whole log of a container: one that has not begun has none, or an empty one.
async fn whole(
    namespace: &Namespace,
    pod: &str,
    container: &str,
    last: &str,
) -> anyhow::Result<Vec<String>> {
    let end = Instant::now() + Duration::from_secs(DEADLINE.into());
    loop {
        let lines = log(namespace, pod, Some(container), true).await;
        match lines {
            Ok(lines) if said(&lines, last).is_ok() => return Ok(lines),
            Err(error) if is_gone(&error) || Instant::now() > end => return Err(error),
            Ok(lines) if Instant::now() > end => bail!("{container} said only {lines:#?}"),
            _ => sleep(STEP).await,
        }
    }
}

fn is_gone(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 404)
}

async fn log(
    namespace: &Namespace,
    pod: &str,
    container: Option<&str>,
    follow: bool,
) -> anyhow::Result<Vec<String>> {
    let parameters = LogParams {
        container: container.map(str::to_owned),
        follow,
        ..LogParams::default()
    };
    let pods: Api<Pod> = namespace.api();
    let lines = pods.log_stream(pod, &parameters).await?.lines();
    Ok(lines.try_collect().await?)
}

/// Milliseconds from the first line with one message to the first with the other.
fn between(lines: &[String], from: &str, to: &str) -> anyhow::Result<f64> {
    let time = |message: &str| -> anyhow::Result<Timestamp> {
        let line = said(lines, message)?;
        let text = line.get("timestamp").and_then(Value::as_str);
        Ok(text.context("no timestamp")?.parse()?)
    };
    let span = time(to)?.duration_since(time(from)?);
    Ok(span.as_secs_f64() * 1e3)
}

fn said(lines: &[String], message: &str) -> anyhow::Result<Value> {
    lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line.get("message").is_some_and(|it| it == message))
        .with_context(|| format!("no line says {message:?}: {lines:#?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_lasts_from_its_first_line_to_its_last() {
        let lines = [
            "not JSON",
            r#"{"timestamp":"2026-11-21T10:00:00.250000Z","message":"stopping"}"#,
            r#"{"timestamp":"2026-11-21T10:00:01.000500Z","message":"handed over"}"#,
        ]
        .map(str::to_owned);
        let took = between(&lines, "stopping", "handed over").unwrap();
        assert!((took - 750.5).abs() < 1e-6, "{took}");
        assert!(between(&lines, "stopping", "serving").is_err());
    }
}
