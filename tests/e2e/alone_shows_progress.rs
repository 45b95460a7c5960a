//! Who watches a rotation sees how far it is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
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

/// What was seen of one rotation, each with its time.
#[derive(Debug, Default)]
struct Seen {
    by_job: Vec<(Duration, Mark)>,
    by_status: Vec<(Duration, Mark)>,
}

/// Changes the key and looks on.
async fn watch(engine: &Engine, id: &str) -> anyhow::Result<Seen> {
    engine.rotate(json!({ "id": id })).await?;
    let mut seen = Seen::default();
    let began = Instant::now();
    loop {
        let (job, object) = tokio::join!(said(engine), engine.get());
        let now = began.elapsed();
        seen.by_job.extend(job?.map(|mark| (now, mark)));
        let rotation = rotation(&object?).filter(|it| it.id == id);
        let mark = rotation.as_ref().map(shown).unwrap_or_default();
        seen.by_status.push((now, mark));
        if mark.0 == CERTIFIED {
            return Ok(seen);
        }
        ensure!(now < PATIENCE, "{rotation:?}");
        tokio::time::sleep(LOOK).await;
    }
}

impl Seen {
    /// What the Job said first that status did not say in time.
    fn late(&self) -> Option<(Duration, Mark)> {
        let is_late = |(at, mark): &&(Duration, Mark)| {
            // Between two looks of this test nobody knows what was shown.
            let until = self
                .by_status
                .iter()
                .position(|(shown_at, _)| *shown_at > *at + SHOWN_WITHIN);
            let until = until.map_or(self.by_status.len(), |next| next + 1);
            let in_time = self.by_status.iter().take(until);
            in_time.map(|(_, shown)| shown).max() < Some(mark)
        };
        self.by_job.iter().find(is_late).copied()
    }

    /// Some of the Job's words, of more than one step.
    fn is_enough(&self) -> bool {
        let steps: BTreeSet<_> = self.by_job.iter().map(|(_, mark)| mark.0).collect();
        self.by_job.len() >= 3 && steps.len() >= 2
    }
}

#[tokio::test]
async fn alone_status_says_within_two_seconds_what_the_job_has_done() -> anyhow::Result<()> {
    in_namespace("progress", |namespace| async move {
        let slow = json!({ "resources": { "limits": { "cpu": SLOW, "memory": "256Mi" } } });
        let served = Served::new(&namespace, json!([]), slow).await?;
        let engine = served.engine(&namespace, "alice").await?;
        let credentials = Credentials::seed(&engine, CREDENTIALS).await?;
        // A machine that is busy for a moment makes one of them late, and an operator that is too slow all of them.
        let mut failed = Vec::new();
        for id in ["r-1", "r-2"] {
            let seen = watch(&engine, id).await?;
            let backwards = seen
                .by_status
                .windows(2)
                .find(|both| both[1].1.0 < both[0].1.0);
            ensure!(backwards.is_none(), "it went back: {backwards:?}");
            credentials.check().await?;
            let late = seen.late();
            if late.is_none() && seen.is_enough() {
                return served.remove().await;
            }
            failed.push(format!(
                "{id}: {late:?} was not shown in time, or too little was seen: {seen:?}"
            ));
        }
        bail!("{}", failed.join("\n"))
    })
    .await
}
