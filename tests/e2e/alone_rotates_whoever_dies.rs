//! Every party may die at every step of a rotation, and no credential is lost.
//!
//! Each point of the matrix is one rotation of an engine with seeded credentials: the test waits for the step, does harm, and
//! sees that the engine serves again in time, that every credential opens to its exact text, and that the next rotation is
//! certified. The slice runs with the other tests; `ROTATION_MATRIX=all` runs everything; both print the table.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use rustix::process::Signal;
use serde_json::{Value, json};
use userengine_api::status::Phase;
use userengine_api::{labels, names::Names};
use userengine_e2e::credentials::Credentials;
use userengine_e2e::machine::{restart_component, signal};
use userengine_e2e::{Engine, eventually, in_namespace, operators, rotation, wait_for_operators};

const CREDENTIALS: usize = 1000;
/// No harm lasts longer than a few seconds; within this time the engine serves again.
const BACK_WITHIN: u64 = 120;
/// Between two looks for a step: some last a few hundred milliseconds.
const LOOK: Duration = Duration::from_millis(20);

/// How far a rotation is, as seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Asked,
    Recorded,
    Quiescing,
    EngineGone,
    JobPodThere,
    Migrating,
    Verifying,
    Closed,
    EngineBack,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Asked,
        Self::Recorded,
        Self::Quiescing,
        Self::EngineGone,
        Self::JobPodThere,
        Self::Migrating,
        Self::Verifying,
        Self::Closed,
        Self::EngineBack,
    ];
}

/// What is done to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// SIGKILL to the operator's process.
    OperatorKilled,
    /// The operator stands still for some seconds.
    OperatorPaused,
    /// SIGKILL to whichever process has the brain: engine, `migrate` or `verify`.
    HolderKilled,
    /// The pod that has the brain is deleted without grace.
    HolderForced,
    KubeletKilled,
    ApiServerKilled,
    EtcdKilled,
    ControllersKilled,
}

impl Harm {
    const ALL: [Self; 8] = [
        Self::OperatorKilled,
        Self::OperatorPaused,
        Self::HolderKilled,
        Self::HolderForced,
        Self::KubeletKilled,
        Self::ApiServerKilled,
        Self::EtcdKilled,
        Self::ControllersKilled,
    ];

    async fn strike(self, engine: &Engine) -> anyhow::Result<()> {
        match self {
            Self::OperatorKilled => {
                for pod in operators(&engine.namespace.client).await? {
                    signal(&pod, "operator", Signal::KILL)?;
                }
            }
            Self::OperatorPaused => {
                let pods = operators(&engine.namespace.client).await?;
                for pod in &pods {
                    signal(pod, "operator", Signal::STOP)?;
                }
                // The harm itself: nothing is waited for.
                tokio::time::sleep(Duration::from_secs(4)).await;
                for pod in &pods {
                    signal(pod, "operator", Signal::CONT)?;
                }
            }
            Self::HolderKilled => {
                for pod in holders(engine).await? {
                    signal(&pod, "engine", Signal::KILL)?;
                }
            }
            Self::HolderForced => {
                for pod in holders(engine).await? {
                    let now = DeleteParams::default().grace_period(0);
                    let deleted = engine
                        .namespace
                        .api::<Pod>()
                        .delete(&pod.name_any(), &now)
                        .await;
                    if let Err(error) = deleted
                        && !is_gone(&error)
                    {
                        return Err(error.into());
                    }
                }
            }
            Self::KubeletKilled => restart_component("kubelet").await?,
            Self::ApiServerKilled => restart_component("kube-apiserver").await?,
            Self::EtcdKilled => restart_component("etcd").await?,
            Self::ControllersKilled => {
                restart_component("kube-controller-manager").await?;
                restart_component("kube-scheduler").await?;
            }
        }
        Ok(())
    }
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// The pods that mount the engine's claim.
async fn holders(engine: &Engine) -> anyhow::Result<Vec<Pod>> {
    let claim = Names(&engine.name).claim();
    let mounts = |pod: &Pod| {
        let volumes = pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten());
        volumes
            .filter_map(|volume| volume.persistent_volume_claim.as_ref())
            .any(|source| source.claim_name == claim)
    };
    let pods = engine
        .namespace
        .api::<Pod>()
        .list(&ListParams::default())
        .await?;
    Ok(pods.items.into_iter().filter(mounts).collect())
}

/// What the claim says of the rotation of this id: `None` if it is not open.
async fn recorded(engine: &Engine, id: &str) -> anyhow::Result<(Option<String>, bool)> {
    let claim: PersistentVolumeClaim = engine
        .namespace
        .api()
        .get(&Names(&engine.name).claim())
        .await?;
    let field = |name: &str, path: &str| -> Option<String> {
        let value: Value = serde_json::from_str(claim.annotations().get(name)?).ok()?;
        (value.get("id")?.as_str()? == id).then_some(())?;
        Some(value.get(path)?.as_str()?.to_owned())
    };
    Ok((
        field(labels::ROTATION, "phase"),
        field(labels::LAST_ROTATION, "outcome").is_some(),
    ))
}

/// How far the rotation of this id is now.
async fn step(engine: &Engine, id: &str) -> anyhow::Result<Step> {
    let (phase, ended) = recorded(engine, id).await?;
    let holders = holders(engine).await?;
    let engine_pod = Names(&engine.name).pod();
    if ended {
        let back = holders.iter().any(|pod| pod.name_any() == engine_pod);
        return Ok(if back { Step::EngineBack } else { Step::Closed });
    }
    let Some(phase) = phase else {
        return Ok(Step::Asked);
    };
    if phase == "Minting" {
        return Ok(Step::Recorded);
    }
    let of_the_job = holders.iter().find(|pod| pod.name_any() != engine_pod);
    let containers = |pod: &Pod, init: bool| {
        let status = pod.status.clone().unwrap_or_default();
        let all = if init {
            status.init_container_statuses
        } else {
            status.container_statuses
        };
        all.unwrap_or_default()
            .into_iter()
            .filter_map(|container| container.state)
            .collect::<Vec<_>>()
    };
    Ok(match of_the_job {
        None if holders.is_empty() => Step::EngineGone,
        None => Step::Quiescing,
        Some(pod)
            if containers(pod, false)
                .iter()
                .any(|state| state.running.is_some() || state.terminated.is_some()) =>
        {
            Step::Verifying
        }
        Some(pod)
            if containers(pod, true)
                .iter()
                .any(|state| state.running.is_some() || state.terminated.is_some()) =>
        {
            Step::Migrating
        }
        Some(_) => Step::JobPodThere,
    })
}

/// Waits until the rotation is at this step or beyond it.
async fn reach(engine: &Engine, id: &str, wanted: Step) -> anyhow::Result<Step> {
    let end = Instant::now() + Duration::from_mins(2);
    loop {
        // The API server may be busy with the harm of the point before.
        match step(engine, id).await {
            Ok(seen) if seen >= wanted => return Ok(seen),
            Ok(seen) if Instant::now() > end => bail!("{id} stands at {seen:?}, not at {wanted:?}"),
            Err(error) if Instant::now() > end => return Err(error),
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

/// One point: what was seen when the harm was done, how the rotation ended, and how long the engine was away.
struct Point {
    step: Step,
    harm: Harm,
    outcome: String,
    seconds: u64,
}

async fn point(
    engine: &Engine,
    credentials: &Credentials,
    step: Step,
    harm: Harm,
) -> anyhow::Result<Point> {
    let id = format!("{step:?}-{harm:?}").to_lowercase();
    let began = Instant::now();
    engine.rotate(json!({ "id": id })).await?;
    let seen = reach(engine, &id, step).await?;
    harm.strike(engine)
        .await
        .with_context(|| format!("{harm:?} at {seen:?}"))?;
    let outcome = eventually(&format!("the end of {id}"), BACK_WITHIN, || async {
        let engine = engine.get().await?;
        let rotation = rotation(&engine).context("no rotation in status")?;
        ensure!(rotation.id == id, "{} is shown", rotation.id);
        let phase = engine.status.and_then(|status| status.phase);
        let over = rotation.completed_at.is_some() && phase == Some(Phase::Ready);
        Ok(over.then_some(rotation.phase))
    })
    .await?;
    let seconds = began.elapsed().as_secs();
    credentials
        .check()
        .await
        .with_context(|| format!("after {harm:?} at {seen:?}"))?;
    Ok(Point {
        step: seen,
        harm,
        outcome,
        seconds,
    })
}

/// A rotation without harm, which must be certified, whatever came before.
async fn plain(engine: &Engine, credentials: &Credentials, id: &str) -> anyhow::Result<()> {
    engine.rotate(json!({ "id": id })).await?;
    let ended = engine.wait_rotation(id, "Certified").await?;
    ensure!(ended.certificate.is_some(), "{id} has no certificate");
    engine.wait_phase(Phase::Ready).await?;
    let kids = credentials.check().await?;
    ensure!(
        kids.len() == 1,
        "after a certificate all is under one key: {kids:?}"
    );
    Ok(())
}

async fn series(name: &str, points: Vec<(Step, Harm)>) -> anyhow::Result<Vec<Point>> {
    let mut done = Vec::new();
    in_namespace(name, |namespace| {
        let done = &mut done;
        async move {
            let engine = Engine::ready(&namespace, "alice", "alice").await?;
            let credentials = Credentials::seed(&engine, CREDENTIALS).await?;
            for (step, harm) in points {
                let point = point(&engine, &credentials, step, harm).await?;
                eprintln!(
                    "{:?} at {:?}: {} after {} s",
                    point.harm, point.step, point.outcome, point.seconds
                );
                done.push(point);
            }
            plain(&engine, &credentials, "after-all").await?;
            wait_for_operators(&engine.namespace.client, 1).await
        }
    })
    .await?;
    Ok(done)
}

#[tokio::test]
async fn alone_no_credential_is_lost_whoever_dies_at_whichever_step() -> anyhow::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how much of the campaign to run is the script's to say"
    )]
    let all = std::env::var("ROTATION_MATRIX").is_ok_and(|matrix| matrix == "all");
    let mut points = Vec::new();
    if all {
        for step in Step::ALL {
            let matrix = Harm::ALL.into_iter().map(|harm| (step, harm)).collect();
            points.extend(series("matrix", matrix).await?);
        }
    } else {
        // A diagonal: every harm once, every step but the first.
        let slice = Harm::ALL
            .into_iter()
            .zip(Step::ALL.into_iter().skip(1))
            .map(|(harm, step)| (step, harm));
        points.extend(series("matrix", slice.collect()).await?);
    }
    println!("| step | harm | outcome | seconds |\n| --- | --- | --- | --- |");
    for point in points {
        println!(
            "| {:?} | {:?} | {} | {} |",
            point.step, point.harm, point.outcome, point.seconds
        );
    }
    Ok(())
}
