//! Who watches a rotation sees how far it is.

use std::time::{Duration, Instant};

use anyhow::ensure;
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use userengine_api::status::RotationInfo;
use userengine_e2e::credentials::Credentials;
use userengine_e2e::{Engine, Served, in_namespace, rotation};

const CREDENTIALS: usize = 80_000;
/// So little of a processor that each step of the Job is there to be seen, however fast the machine; and enough for it to end
/// as soon as it is done.
const SLOW: &str = "500m";
/// From the Job's own word until status says as much.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks of this test.
const LOOK: Duration = Duration::from_millis(50);
/// Longest wait for an answer of the Job's.
const ANSWER: Duration = Duration::from_millis(500);
/// A rotation that takes longer is not what this is about.
const PATIENCE: Duration = Duration::from_mins(3);

/// How far: the step, and the values that it has dealt with.
type Mark = (u8, i64);

const MIGRATING: u8 = 2;
const VERIFYING: u8 = 3;
const RESUMING: u8 = 4;
const CERTIFIED: u8 = 5;

fn step(word: &str) -> u8 {
    match word.to_lowercase().as_str() {
        "checking" => 1,
        "migrating" => MIGRATING,
        "verifying" => VERIFYING,
        "resuming" => RESUMING,
        "certified" => CERTIFIED,
        _ => 0,
    }
}

fn shown(rotation: &RotationInfo) -> Mark {
    (step(&rotation.phase), rotation.done.unwrap_or_default())
}

/// What the Job says of itself, through the API server's proxy; nothing while nobody answers.
async fn said(engine: &Engine) -> anyhow::Result<Option<Mark>> {
    let Some(pod) = engine.job_pod().await? else {
        return Ok(None);
    };
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}:9090/proxy/progress",
        engine.namespace.name,
        pod.name_any()
    );
    let request = http::Request::get(path).body(Vec::new())?;
    let asked = engine.namespace.client.request::<Value>(request);
    // Between the two containers nobody answers.
    let Ok(Ok(progress)) = timeout(ANSWER, asked).await else {
        return Ok(None);
    };
    let mark = progress.get("step").and_then(Value::as_str).map(step);
    let done = progress.get("done").and_then(Value::as_i64);
    Ok(match (mark, done) {
        (Some(MIGRATING), Some(done)) => Some((MIGRATING, done)),
        // The last step is over in less time than may pass until it is shown how far it is.
        (Some(VERIFYING), _) => Some((VERIFYING, 0)),
        _ => None,
    })
}

#[tokio::test]
async fn alone_status_says_within_two_seconds_what_the_job_has_done() -> anyhow::Result<()> {
    in_namespace("progress", |namespace| async move {
        let slow = json!({ "resources": { "limits": { "cpu": SLOW, "memory": "256Mi" } } });
        let served = Served::new(&namespace, json!([]), slow).await?;
        let engine = served.engine(&namespace, "alice").await?;
        let credentials = Credentials::seed(&engine, CREDENTIALS).await?;
        engine.rotate(json!({ "id": "r-1" })).await?;
        let (mut by_job, mut by_status) = (Vec::new(), Vec::new());
        let began = Instant::now();
        loop {
            let (job, object) = tokio::join!(said(&engine), engine.get());
            let now = began.elapsed();
            by_job.extend(job?.map(|mark| (now, mark)));
            let rotation = rotation(&object?).filter(|it| it.id == "r-1");
            let mark = rotation.as_ref().map(shown).unwrap_or_default();
            by_status.push((now, mark));
            if mark.0 == CERTIFIED {
                break;
            }
            ensure!(now < PATIENCE, "{rotation:?}");
            tokio::time::sleep(LOOK).await;
        }
        let backwards = by_status.windows(2).find(|both| both[1].1.0 < both[0].1.0);
        ensure!(backwards.is_none(), "it went back: {backwards:?}");
        for (at, mark) in &by_job {
            // Between two looks of this test nobody knows what was shown.
            let in_time = by_status
                .iter()
                .take_while(|(shown_at, _)| *shown_at <= *at + SHOWN_WITHIN);
            let next = by_status
                .iter()
                .find(|(shown_at, _)| *shown_at > *at + SHOWN_WITHIN);
            let most = in_time.chain(next).map(|(_, shown)| shown).max();
            ensure!(
                most >= Some(mark),
                "{mark:?} of {at:?} was not shown: {by_status:?}"
            );
        }
        let steps: std::collections::BTreeSet<_> = by_job.iter().map(|(_, mark)| mark.0).collect();
        ensure!(
            by_job.len() >= 3 && steps.len() >= 2,
            "seen too little: {by_job:?}"
        );
        credentials.check().await?;
        served.remove().await
    })
    .await
}
