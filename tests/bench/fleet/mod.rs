//! Many engines: what the operator needs for them, beside an operator that nobody tuned.

pub mod cluster;
pub mod nodes;
pub mod program;
pub mod template;
mod told;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use userengine_api::UserEngine;
use userengine_api::status::Phase;
use userengine_e2e::SYSTEM;

use self::cluster::Cluster;
use self::program::{Kind, Operator};
use self::told::Told;
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
/// For so long the other operator may bring a fleet in line that it finds.
const TAKE_OVER: Duration = Duration::from_mins(15);
/// After so long no further restart begins.
const RESTARTS: Duration = Duration::from_mins(12);
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

/// Measures fleets of these sizes; `rounds` restarts of each operator, in a cluster of its own.
pub fn measure(programs: &Programs, sizes: &[usize], rounds: u32) -> anyhow::Result<Measured> {
    of_each(sizes, |runtime, size| {
        let measure = |kind| {
            let busy = wait_until_quiet(QUIET)?;
            let side = runtime.block_on(async {
                let fleet = Fleet::fresh(kind, size).await?;
                fleet.measure(programs, kind, Before::Nothing, rounds).await
            })?;
            anyhow::Ok((side, busy))
        };
        let (ours, before_ours) = measure(Kind::Ours)?;
        let (plain, before_plain) = measure(Kind::Plain)?;
        let busy = vec![before_ours, before_plain];
        Ok(together(programs, size, &ours, &plain, busy))
    })
}

/// Measures fleets of these sizes in one cluster: the other operator takes over what ours has made.
pub fn measure_in_turn(
    programs: &Programs,
    sizes: &[usize],
    rounds: u32,
) -> anyhow::Result<Measured> {
    of_each(sizes, |runtime, size| {
        let busy = wait_until_quiet(QUIET)?;
        let (ours, plain) = runtime.block_on(async {
            let fleet = Fleet::fresh(Kind::Ours, size).await?;
            let measure = |kind, before| fleet.measure(programs, kind, before, rounds);
            let ours = measure(Kind::Ours, Before::Nothing).await?;
            anyhow::Ok((ours, measure(Kind::Plain, Before::Everything).await?))
        })?;
        Ok(together(programs, size, &ours, &plain, vec![busy]))
    })
}

fn of_each(
    sizes: &[usize],
    measure: impl Fn(&Runtime, usize) -> anyhow::Result<Measured>,
) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    nodes::answer_for_engines(ADDRESS)?;
    let mut all = Measured {
        lines: Vec::new(),
        busy: Vec::new(),
        notes: Vec::new(),
    };
    for size in sizes {
        let one = measure(&runtime, *size)?;
        all.lines.extend(one.lines);
        all.busy.extend(one.busy);
        all.notes.extend(one.notes);
    }
    Ok(all)
}

/// What one operator needed for one fleet.
#[derive(Debug, Default)]
struct Side {
    grown: Option<Grown>,
    memory: f64,
    most_memory: f64,
    /// One, or none if it never came to rest.
    writes_at_rest: Vec<f64>,
    restarts: Vec<f64>,
    writes_of_restarts: Vec<f64>,
    memory_after_restart: Vec<f64>,
    notes: Vec<String>,
}

/// What it needed until all engines were Ready, if it found nothing.
#[derive(Debug)]
struct Grown {
    seconds: f64,
    writes: f64,
    reconciles: f64,
}

/// What an operator finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// No engine: they are made, and it makes all that belongs to them.
    Nothing,
    /// All that another one has made.
    Everything,
}

/// A cluster with room for so many engines.
struct Fleet {
    cluster: Cluster,
    client: Client,
    size: usize,
    /// They play while this is here.
    _nodes: nodes::Nodes,
}

impl Fleet {
    async fn fresh(kind: Kind, size: usize) -> anyhow::Result<Self> {
        eprintln!("    {kind:?}, {size} engines: a fresh cluster");
        let (cluster, client) = Cluster::fresh(CLUSTER).await?;
        let nodes = nodes::play(&client, ADDRESS);
        prepare(&client, size).await?;
        Ok(Self {
            cluster,
            client,
            size,
            _nodes: nodes,
        })
    }

    async fn measure(
        &self,
        programs: &Programs,
        kind: Kind,
        before: Before,
        rounds: u32,
    ) -> anyhow::Result<Side> {
        let start = |turn: u32| programs.start(kind, &self.cluster.kubeconfig, turn);
        let mut operator = start(0)?;
        let mut found = Side::default();
        let engines = f64::from(u32::try_from(self.size)?);
        let is_quiet = if before == Before::Nothing {
            let (seconds, told) = self.grow().await?;
            operator.until_quiet(self.size, STILL, LIMIT)?;
            let counts = operator.counts()?;
            if kind == Kind::Ours {
                found.notes.push(told.describe(&operator.writes()?));
            }
            found.grown = Some(Grown {
                seconds,
                writes: counts.writes / engines,
                reconciles: counts.reconciles / engines,
            });
            true
        } else {
            let quiet = operator.quiet_within(self.size, STILL, TAKE_OVER)?;
            quiet.is_some()
        };
        (found.memory, found.most_memory) = operator.memory()?;
        eprintln!("    {kind:?}: {found:?}");
        if !is_quiet {
            let share = 100.0 * operator.counts()?.engines / engines;
            found.notes.push(format!(
                "The plain controller had brought {share:.0} % of the {engines:.0} engines in line {} minutes after its start on them, and was not measured further.",
                TAKE_OVER.as_secs() / 60
            ));
            operator.stop()?;
            return Ok(found);
        }
        if kind == Kind::Ours {
            template::write(&self.client, &programs.templates()).await?;
        }
        let written = operator.counts()?.writes;
        pause(programs.quiet);
        found.writes_at_rest = vec![operator.counts()?.writes - written];
        operator.stop()?;
        let began = Instant::now();
        for turn in (1..=rounds).take_while(|turn| *turn == 1 || began.elapsed() < RESTARTS) {
            let mut operator = start(turn)?;
            let until_quiet = operator.until_quiet(self.size, STILL, LIMIT)?;
            found.restarts.push(until_quiet);
            found.writes_of_restarts.push(operator.counts()?.writes);
            found.memory_after_restart.push(operator.memory()?.0);
            operator.stop()?;
        }
        eprintln!("    {kind:?}: {found:?}");
        Ok(found)
    }

    /// Makes all engines; seconds until all are Ready, and what was told of them until then.
    async fn grow(&self) -> anyhow::Result<(f64, Told)> {
        let began = Instant::now();
        let ready = timeout(LIMIT, all_ready(self.client.clone(), self.size));
        let (created, ready) = tokio::join!(create(&self.client, self.size), ready);
        created?;
        let told = ready.context("not all engines became Ready")??;
        Ok((began.elapsed().as_secs_f64(), told))
    }
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

/// Returns what was told of them when so many engines say that they are Ready.
async fn all_ready(client: Client, size: usize) -> anyhow::Result<Told> {
    let engines = watcher(Api::<UserEngine>::all(client), watcher::Config::default());
    let mut engines = std::pin::pin!(engines.default_backoff().applied_objects());
    let (mut ready, mut told) = (BTreeSet::new(), Told::default());
    while let Some(engine) = engines.next().await {
        let Ok(engine) = engine else { continue };
        told.hear(&engine);
        if engine.status.as_ref().and_then(|status| status.phase) == Some(Phase::Ready) {
            ready.insert(engine.name_any());
        }
        if ready.len() == size {
            return Ok(told);
        }
    }
    bail!("the watch ended at {} of {size}", ready.len())
}

fn together(
    programs: &Programs,
    size: usize,
    ours: &Side,
    plain: &Side,
    busy: Vec<f64>,
) -> Measured {
    Measured {
        lines: lines(programs, size, ours, plain),
        busy,
        notes: ours.notes.iter().chain(&plain.notes).cloned().collect(),
    }
}

fn lines(programs: &Programs, size: usize, ours: &Side, plain: &Side) -> Vec<Line> {
    let line = |what: &str, unit: &str, of: fn(&Side) -> Vec<f64>, budget| Line {
        what: format!("{size} engines: {what}"),
        unit: unit.to_owned(),
        ours: of(ours),
        against: Some(Against {
            what: "plain `Controller::new`".to_owned(),
            rounds: of(plain),
        })
        .filter(|plain| !plain.rounds.is_empty()),
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
            |it| grown(it, |it| it.writes),
            Some(Budget::Median(13.0)),
        ),
        line(
            "reconciles an engine until all are Ready",
            "",
            |it| grown(it, |it| it.reconciles),
            None,
        ),
        line(
            "until all are Ready",
            "s",
            |it| grown(it, |it| it.seconds),
            None,
        ),
        line(
            &format!("writes in {} quiet seconds", programs.quiet.as_secs()),
            "",
            |it| it.writes_at_rest.clone(),
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

fn grown(side: &Side, of: fn(&Grown) -> f64) -> Vec<f64> {
    side.grown.iter().map(of).collect()
}
