//! Many engines: what the operator needs for them, beside an operator that nobody tuned.

pub mod cluster;
pub mod nodes;
pub mod program;
pub mod template;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::time::timeout;
use userengine_api::UserEngine;
use userengine_api::status::Phase;
use userengine_e2e::SYSTEM;

use self::cluster::Cluster;
use self::program::{Kind, Operator};
use crate::by_hand::TEMPLATE;
use crate::machine::{pause, wait_until_quiet};
use crate::on_cluster::{CLASS, QUIET};
use crate::report::{Against, Budget, Line, Measured};

/// Name of the cluster.
const CLUSTER: &str = "fleet";
/// Of every pod.
const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Engines of one namespace.
pub const OF_A_WORKSPACE: usize = 100;
/// Engines that are created at once.
const AT_ONCE: usize = 16;
/// For so long nothing may happen before it is said that nothing happens.
pub const STILL: Duration = Duration::from_secs(3);
/// Longest time that a fleet may take for anything.
pub const LIMIT: Duration = Duration::from_hours(2);

/// The programs, and an empty folder.
pub struct Programs {
    /// Our operator.
    pub operator: PathBuf,
    /// The other one.
    pub plain: PathBuf,
    /// For logs.
    pub scratch: PathBuf,
    /// For so long it is watched that nothing is written.
    pub quiet: Duration,
}

/// Measures fleets of these sizes; `rounds` restarts of each.
pub fn measure(programs: &Programs, sizes: &[usize], rounds: u32) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    nodes::answer_for_engines(ADDRESS)?;
    let mut measured = Measured {
        lines: Vec::new(),
        busy: Vec::new(),
        notes: Vec::new(),
    };
    for size in sizes {
        let mut measure = |kind| {
            measured.busy.push(wait_until_quiet(QUIET)?);
            runtime.block_on(one(programs, kind, *size, rounds))
        };
        let (ours, plain) = (measure(Kind::Ours)?, measure(Kind::Plain)?);
        measured.lines.extend(lines(programs, *size, &ours, &plain));
    }
    Ok(measured)
}

/// What one operator needed for one fleet.
#[derive(Debug, Default)]
struct Side {
    seconds: f64,
    memory: f64,
    most_memory: f64,
    writes: f64,
    reconciles: f64,
    writes_at_rest: f64,
    restarts: Vec<f64>,
    writes_of_restarts: Vec<f64>,
    memory_after_restart: Vec<f64>,
}

async fn one(programs: &Programs, kind: Kind, size: usize, rounds: u32) -> anyhow::Result<Side> {
    eprintln!("    {kind:?}, {size} engines: a fresh cluster");
    let (cluster, client) = Cluster::fresh(CLUSTER).await?;
    let nodes = nodes::play(&client, ADDRESS);
    prepare(&client, size).await?;
    let start = |turn: u32| programs.start(kind, &cluster.kubeconfig, turn);
    let mut operator = start(0)?;
    let began = Instant::now();
    let ready = all_ready(client.clone(), size);
    let (created, ready) = tokio::join!(create(&client, size), timeout(LIMIT, ready));
    created?;
    ready.context("not all engines became Ready")??;
    let mut found = Side {
        seconds: began.elapsed().as_secs_f64(),
        ..Side::default()
    };
    operator.until_quiet(size, STILL, LIMIT)?;
    let (counts, engines) = (operator.counts()?, f64::from(u32::try_from(size)?));
    (found.memory, found.most_memory) = operator.memory()?;
    (found.writes, found.reconciles) = (counts.writes / engines, counts.reconciles / engines);
    eprintln!("    {found:?}");
    if kind == Kind::Ours {
        template::write(&client, &programs.templates()).await?;
    }
    pause(programs.quiet);
    found.writes_at_rest = operator.counts()?.writes - counts.writes;
    operator.stop()?;
    for turn in 1..=rounds {
        let mut operator = start(turn)?;
        found
            .restarts
            .push(operator.until_quiet(size, STILL, LIMIT)?);
        found.writes_of_restarts.push(operator.counts()?.writes);
        found.memory_after_restart.push(operator.memory()?.0);
        operator.stop()?;
    }
    eprintln!("    {found:?}");
    drop(nodes);
    Ok(found)
}

impl Programs {
    fn start(&self, kind: Kind, kubeconfig: &Path, turn: u32) -> anyhow::Result<Operator> {
        let log = self.scratch.join(format!("{kind:?}-{turn}.log"));
        let templates = self.templates().display().to_string();
        match kind {
            Kind::Ours => Operator::start(&self.operator, &["run"], kubeconfig, &log),
            Kind::Plain => Operator::start(&self.plain, &[&templates], kubeconfig, &log),
        }
    }

    /// The children of an engine of ours, for the other one.
    fn templates(&self) -> PathBuf {
        self.scratch.join("templates.json")
    }
}

fn workspace(number: usize) -> String {
    format!("fleet-{}", number / OF_A_WORKSPACE)
}

/// The first one's children are the template of the other operator's.
fn name(number: usize) -> String {
    if number == 0 {
        TEMPLATE.to_owned()
    } else {
        format!("engine-{number}")
    }
}

async fn prepare(client: &Client, size: usize) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let workspaces: BTreeSet<_> = (0..size).map(workspace).collect();
    for name in workspaces.into_iter().chain([SYSTEM.to_owned()]) {
        let namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
        namespaces
            .create(&PostParams::default(), &namespace)
            .await?;
    }
    userengine_e2e::class(client, CLASS, json!({})).await
}

async fn create(client: &Client, size: usize) -> anyhow::Result<()> {
    let engines = stream::iter(0..size).map(|number| async move {
        let mut engine = userengine_e2e::engine(&name(number), &format!("user-{number}"));
        json_patch::merge(&mut engine, &json!({ "spec": { "className": CLASS } }));
        let engine: UserEngine = serde_json::from_value(engine)?;
        let api: Api<UserEngine> = Api::namespaced(client.clone(), &workspace(number));
        api.create(&PostParams::default(), &engine).await?;
        anyhow::Ok(())
    });
    engines.buffer_unordered(AT_ONCE).try_collect().await
}

/// Returns when so many engines say that they are Ready.
async fn all_ready(client: Client, size: usize) -> anyhow::Result<()> {
    let engines = watcher(Api::<UserEngine>::all(client), watcher::Config::default());
    let mut engines = std::pin::pin!(engines.default_backoff().applied_objects());
    let mut ready = BTreeSet::new();
    while let Some(engine) = engines.next().await {
        let Ok(engine) = engine else { continue };
        if engine.status.as_ref().and_then(|status| status.phase) == Some(Phase::Ready) {
            ready.insert(engine.name_any());
        }
        if ready.len() == size {
            return Ok(());
        }
    }
    ensure!(
        ready.len() == size,
        "the watch ended at {} of {size}",
        ready.len()
    );
    Ok(())
}

fn lines(programs: &Programs, size: usize, ours: &Side, plain: &Side) -> Vec<Line> {
    let line = |what: &str, unit: &str, of: fn(&Side) -> Vec<f64>, budget| Line {
        what: format!("{size} engines: {what}"),
        unit: unit.to_owned(),
        ours: of(ours),
        against: Some(Against {
            what: "plain `Controller::new`".to_owned(),
            rounds: of(plain),
        }),
        budget,
    };
    vec![
        line(
            "memory at rest",
            "MiB",
            |it| vec![it.memory],
            Some(Budget::Median(64.0)),
        ),
        line("memory at most", "MiB", |it| vec![it.most_memory], None),
        line(
            "memory after a restart",
            "MiB",
            |it| it.memory_after_restart.clone(),
            Some(Budget::Median(64.0)),
        ),
        // Ten children; and the finalizer, and two of the status or the record.
        line(
            "writes an engine until all are Ready",
            "",
            |it| vec![it.writes],
            Some(Budget::Median(13.0)),
        ),
        line(
            "reconciles an engine until all are Ready",
            "",
            |it| vec![it.reconciles],
            None,
        ),
        line("until all are Ready", "s", |it| vec![it.seconds], None),
        line(
            &format!("writes in {} quiet seconds", programs.quiet.as_secs()),
            "",
            |it| vec![it.writes_at_rest],
            Some(Budget::Median(0.0)),
        ),
        line(
            "restart until quiet",
            "s",
            |it| it.restarts.clone(),
            Some(Budget::Median(10.0)),
        ),
        line(
            "writes after a restart",
            "",
            |it| it.writes_of_restarts.clone(),
            Some(Budget::Median(0.0)),
        ),
    ]
}
