//! `operator wait-for-rotations`: what the chart runs before it goes. Without an operator, an engine that a rotation has
//! stopped stays stopped.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use tokio::time::{Instant, sleep};
use userengine_api::labels;

use crate::cluster::Clients;
use crate::config::WaitConfig;
use crate::telemetry;

/// The exit code if engines are still stopped: "try again", as `sysexits.h` has it.
const TRY_AGAIN: u8 = 75;
/// Between two looks.
const STEP: Duration = Duration::from_secs(1);

/// What stood in the way when the time was up.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Left {
    /// Engines that a rotation has not brought back yet.
    #[error(
        "still stopped for a rotation: {}; uninstall again, or with --no-hooks: then they stay stopped until an operator is back", .0.join(", ")
    )]
    Stopped(Vec<String>),
    /// Nobody knows: the API server gave no list.
    #[error("failed to list StatefulSets: {0}")]
    Unknown(String),
}

/// Waits until no engine is stopped for a rotation, or the time is up.
pub fn run(config: &WaitConfig) -> anyhow::Result<ExitCode> {
    telemetry::start(&config.log);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let patience = Duration::from_secs(config.timeout_seconds);
    runtime.block_on(async {
        let cluster = kube::Config::infer().await;
        let cluster = cluster.context("failed to find an API server to talk to")?;
        let client = Clients::of(&cluster, Client::try_from)?.requests;
        let sets = config.watch_namespaces.apis(&client);
        Ok(match wait(patience, || stopped(&sets)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(left) => {
                tracing::error!("{left}");
                ExitCode::from(TRY_AGAIN)
            }
        })
    })
}

/// The engines that a rotation has stopped and not brought back yet, as `namespace/name`. Their StatefulSets say so; they
/// go with their engine, so that nobody waits for a rotation whose engine was deleted.
async fn stopped(sets: &[Api<StatefulSet>]) -> kube::Result<Vec<String>> {
    let ours = format!("{}={}", labels::MANAGED_BY, labels::MANAGER);
    let ours = ListParams::default().labels(&ours);
    let found = try_join_all(sets.iter().map(|sets| sets.list_metadata(&ours))).await?;
    let found = found.iter().flat_map(|found| &found.items);
    let stopped = found.filter(|set| is_stopped(*set));
    let names = stopped.map(|set| {
        let namespace = set.namespace().unwrap_or_default();
        format!("{namespace}/{}", set.name_any())
    });
    Ok(names.collect())
}

fn is_stopped(set: &impl ResourceExt) -> bool {
    let why = set.annotations().get(labels::STOPPED_FOR);
    why.is_some_and(|why| why == labels::FOR_ROTATION)
}

async fn wait<F>(patience: Duration, mut look: impl FnMut() -> F) -> Result<(), Left>
where
    F: Future<Output = kube::Result<Vec<String>>>,
{
    let end = Instant::now() + patience;
    let mut said = Vec::new();
    loop {
        let left = match look().await {
            Ok(stopped) if stopped.is_empty() => return Ok(()),
            Ok(stopped) => {
                if stopped != said {
                    tracing::info!("waiting for rotations to bring back {}", stopped.join(", "));
                    said.clone_from(&stopped);
                }
                Left::Stopped(stopped)
            }
            Err(error) => {
                tracing::warn!(%error, "failed to list StatefulSets; trying again");
                Left::Unknown(error.to_string())
            }
        };
        if Instant::now() >= end {
            return Err(left);
        }
        sleep(STEP).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    const PATIENCE: Duration = Duration::from_mins(4);

    fn engine(name: &str) -> Vec<String> {
        vec![format!("acme/{name}")]
    }

    /// Looks that see this, one after the other, and the last again and again; how long it took.
    async fn over(seen: Vec<kube::Result<Vec<String>>>) -> (Result<(), Left>, Duration) {
        let (count, began) = (Cell::new(0), Instant::now());
        let look = || {
            let now = count.get();
            count.set((now + 1).min(seen.len() - 1));
            let found = match &seen[now] {
                Ok(stopped) => Ok(stopped.clone()),
                Err(_) => Err(kube::Error::LinesCodecMaxLineLengthExceeded),
            };
            async move { found }
        };
        (wait(PATIENCE, look).await, began.elapsed())
    }

    fn unheard() -> kube::Result<Vec<String>> {
        Err(kube::Error::LinesCodecMaxLineLengthExceeded)
    }

    #[tokio::test(start_paused = true)]
    async fn goes_at_once_if_nothing_is_stopped() {
        assert_eq!(over(vec![Ok(Vec::new())]).await, (Ok(()), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn goes_as_soon_as_the_last_engine_is_back_whoever_else_was_stopped_meanwhile() {
        let seen = vec![
            Ok(engine("alice")),
            unheard(),
            Ok(engine("bob")),
            Ok(Vec::new()),
        ];
        assert_eq!(over(seen).await, (Ok(()), 3 * STEP));
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_when_its_time_is_up_and_names_whom_it_waited_for() {
        let (left, took) = over(vec![Ok(engine("alice"))]).await;
        let words = left.unwrap_err().to_string();
        assert!(
            words.contains("acme/alice") && words.contains("--no-hooks"),
            "{words}"
        );
        assert!((PATIENCE..PATIENCE + 2 * STEP).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_cannot_see_it_does_not_take_for_nothing() {
        let (left, _) = over(vec![unheard()]).await;
        assert!(matches!(left, Err(Left::Unknown(_))));
    }

    #[test]
    fn only_a_rotation_that_has_stopped_an_engine_is_waited_for() {
        let set = |annotations: serde_json::Value| {
            let object = json!({ "metadata": { "name": "alice", "annotations": annotations } });
            serde_json::from_value::<StatefulSet>(object).unwrap()
        };
        let reason = |why: &str| set(json!({ labels::STOPPED_FOR: why }));
        assert!(is_stopped(&reason(labels::FOR_ROTATION)));
        assert!(!is_stopped(&reason(labels::FOR_SPEC)));
        assert!(!is_stopped(&set(json!({}))));
    }
}
