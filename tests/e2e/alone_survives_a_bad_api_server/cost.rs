//! What a birth costs.

use anyhow::{Context as _, ensure};
use userengine_e2e::between::Write;
use userengine_e2e::{Engine, condition};

/// Ten children, the finalizer, and the setting that says that there is a brain by now.
const BESIDE_THE_STATUS: usize = 12;
/// Seconds from which on a pod is told of that is not Ready yet.
const LONG: i64 = 4;

/// By these writes this engine became Ready: thirteen, with the one of the status that says so. There are more of that only of a
/// pod that took long, and none says again what the one before it said (docs/decisions/2026-11-23-thirteen-writes.md).
pub async fn costs_thirteen_writes(engine: &Engine, writes: &[Write]) -> anyhow::Result<()> {
    let all = listed(writes);
    let (statuses, others): (Vec<_>, Vec<_>) =
        writes.iter().partition(|write| write.status.is_some());
    ensure!(
        others.len() <= BESIDE_THE_STATUS,
        "{} writes beside those of the status:\n{all}",
        others.len()
    );
    let says_it_again =
        |pair: &[&Write]| matches!(pair, [former, next] if former.status == next.status);
    ensure!(
        !statuses.windows(2).any(says_it_again),
        "a status says what the one before it said:\n{all}"
    );
    let found = engine.get().await?;
    let ready = condition(&found, "Ready").context("no condition Ready")?;
    let pod = engine.pod().await?.context("no pod")?;
    let made = pod.metadata.creation_timestamp.context("no time")?;
    // By the operator's clock, which goes by whole seconds as well: no look before that one saw an older pod.
    let seconds = ready.last_transition_time.0.as_second() - made.0.as_second();
    eprintln!("said to be Ready {seconds} s after its pod was made");
    ensure!(
        statuses.len() == 1 || statuses.len() > 1 && seconds >= LONG,
        "{} statuses of an engine that was said to be Ready {seconds} s after its pod was made:\n{all}",
        statuses.len()
    );
    Ok(())
}

fn listed(writes: &[Write]) -> String {
    let lines = writes.iter().map(|write| {
        let what = write.status.as_ref().or(write.created.as_ref());
        let what = what.map_or("", String::as_str);
        format!("{} {} {what}", write.method, write.path)
    });
    lines.collect::<Vec<_>>().join("\n")
}
