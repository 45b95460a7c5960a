//! What is done while this replica leads: puts the parts together and runs them until told to stop.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{BufRead as _, BufReader};
use std::sync::Arc;

use anyhow::Context as _;
use futures::channel::oneshot;
use futures::future::try_join_all;
use kube::Client;
use kube::api::ListParams;
use kube::runtime::events::{Recorder, Reporter};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use userengine_api::UserEngine;
use userengine_api::labels::MANAGER;

use crate::cluster::Clients;
use crate::config::Config;
use crate::engines::{Sight, engines};
use crate::leader::Standing;
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::seen::{self, Seen};
use crate::stop::stopped;
use crate::user_engine::Context;
use crate::user_engine::growth::Refusals;
use crate::user_engine::inside::Insides;
use crate::user_engine::retry::Backoff;
use crate::user_engine::rollout::Rollouts;
use crate::{platform, retained};

/// Looks after the engines until told to stop.
pub async fn work(
    clients: Clients,
    config: Config,
    metrics: Arc<Metrics>,
    standing: watch::Sender<Standing>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let started = tokio::select! {
        () = stopped(stop.clone()) => return Ok(()),
        started = start(clients, &config, metrics) => started?,
    };
    let Started {
        sight,
        listed,
        tasks,
    } = started;
    let (tell, all_listed) = watch::channel(false);
    let lists = async {
        try_join_all(listed)
            .await
            .context("a watch ended before its first list")?;
        tell.send_replace(true);
        standing.send_replace(Standing::Leads);
        anyhow::Ok(())
    };
    // The engines are listed beside what belongs to them, and looked at after that.
    tokio::select! {
        () = engines(sight, &config, all_listed, stop) => {}
        Err(error) = lists => return Err(error),
    }
    drop(tasks);
    Ok(())
}

/// What runs once the operator leads.
struct Started {
    sight: Sight,
    /// One for each kind of child in each place, which comes once it is listed.
    listed: Vec<oneshot::Receiver<()>>,
    /// The watches; they end with this value.
    tasks: JoinSet<()>,
}

async fn start(
    clients: Clients,
    config: &Config,
    metrics: Arc<Metrics>,
) -> anyhow::Result<Started> {
    let namespaces = &config.watch_namespaces;
    let Clients {
        requests: client,
        watches,
    } = clients;
    can_list(&client, namespaces).await;
    let mut tasks = JoinSet::new();
    let platform = platform::watch(&watches, &config.namespace, &mut tasks).await?;
    let seen = Arc::new(Seen::default());
    let (mut woken, mut leaving, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    for place in namespaces.places() {
        let told = seen::watch(&watches, &place, &seen, &mut tasks);
        woken.push((place, told.woken));
        leaving.push(told.leaving);
        listed.extend(told.listed);
    }
    tasks.spawn(retained::run(
        client.clone(),
        leaving,
        metrics.clone(),
        seen.clone(),
    ));
    let reporter = Reporter {
        controller: MANAGER.to_owned(),
        instance: None,
    };
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone(), reporter),
        classes: platform.classes,
        platform: platform.config_maps,
        client,
        operator_namespace: config.namespace.clone(),
        metrics,
        insides: Insides::default(),
        rollouts: Rollouts::default(),
        backoff: Backoff::default(),
        turns: Semaphore::new(config.concurrency.into()),
        seen,
        build: build_mark().context("failed to read the operator's own program")?,
        growths: Refusals::default(),
    });
    let sight = Sight {
        context,
        client: watches,
        platform_changes: platform.changes,
        woken,
    };
    Ok(Started {
        sight,
        listed,
        tasks,
    })
}

/// A number that differs for each build: another one may want other children of the same engine.
fn build_mark() -> std::io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    let mut program = BufReader::with_capacity(64 * 1024, File::open("/proc/self/exe")?);
    loop {
        let block = program.fill_buf()?;
        if block.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.write(block);
        let read = block.len();
        program.consume(read);
    }
}

/// Returns once the definition is there and may be listed. The controller's own store cannot be asked:
/// it wakes only one of those who wait for it, and the controller waits for it itself.
async fn can_list(client: &Client, namespaces: &Namespaces) {
    let backoff = Backoff::default();
    for engines in namespaces.apis::<UserEngine>(client) {
        while let Err(error) = engines.list(&ListParams::default().limit(1)).await {
            tracing::warn!(%error, "failed to list UserEngines; trying again");
            tokio::time::sleep(backoff.next("")).await;
        }
    }
}
