//! What is done while this replica leads: puts the parts together and runs them until told to stop.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{BufRead as _, BufReader};
use std::sync::Arc;

use anyhow::Context as _;
use futures::channel::{mpsc, oneshot};
use futures::future::try_join_all;
use kube::Client;
use kube::api::ListParams;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use userengine_api::UserEngine;

use crate::cluster::{Clients, Recorder};
use crate::config::Config;
use crate::engines::{PlaceSeen, Sight, engines};
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
use crate::user_engine::tries::Tries;
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
        lists,
        tasks,
    } = started;
    // No place waits for another one: one that is gone, or may not be read, keeps nobody else from being served.
    let lists = try_join_all(lists.into_iter().map(|list| list.told(&standing)));
    // The engines are listed beside what belongs to them, and looked at after that.
    tokio::select! {
        () = engines(sight, &config, stop) => {}
        Err(error) = lists => return Err(error),
    }
    drop(tasks);
    Ok(())
}

/// What runs once the operator leads.
struct Started {
    sight: Sight,
    /// One for each place.
    lists: Vec<Lists>,
    /// The watches; they end with this value.
    tasks: JoinSet<()>,
}

/// The first lists of one place.
struct Lists {
    /// One for each kind of child, which comes once it is listed.
    kinds: Vec<oneshot::Receiver<()>>,
    /// Who waits for all of them.
    all: watch::Sender<bool>,
}

impl Lists {
    async fn told(self, standing: &watch::Sender<Standing>) -> anyhow::Result<()> {
        let all = try_join_all(self.kinds).await;
        all.context("a watch ended before its first list")?;
        self.all.send_replace(true);
        standing.send_replace(Standing::Leads);
        Ok(())
    }
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
    let (mut places, mut leaving, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    let all_places = namespaces.places();
    let rollouts = Rollouts::of(all_places.len());
    for place in all_places {
        let told = seen::watch(&watches, &place, &seen, &mut tasks);
        let (all, all_listed) = watch::channel(false);
        places.push(PlaceSeen {
            place,
            woken: told.woken,
            all_listed,
        });
        leaving.push(told.leaving);
        lists.push(Lists {
            kinds: told.listed,
            all,
        });
    }
    let (left_behind, left) = mpsc::unbounded();
    leaving.push(left);
    tasks.spawn(retained::run(
        client.clone(),
        leaving,
        metrics.clone(),
        seen.clone(),
    ));
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone()),
        classes: platform.classes,
        platform: platform.config_maps,
        client,
        operator_namespace: config.namespace.clone(),
        metrics,
        insides: Insides::default(),
        rollouts,
        tries: Tries::default(),
        backoff: Backoff::default(),
        turns: Semaphore::new(config.concurrency.into()),
        seen,
        left_behind,
        build: build_mark().context("failed to read the operator's own program")?,
        growths: Refusals::default(),
    });
    let sight = Sight {
        context,
        client: watches,
        platform_changes: platform.changes,
        places,
    };
    Ok(Started {
        sight,
        lists,
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

/// Returns once the definition is there and may be listed in one of the places. The controller's own store cannot be asked:
/// it wakes only one of those who wait for it, and the controller waits for it itself.
async fn can_list(client: &Client, namespaces: &Namespaces) {
    let backoff = Backoff::default();
    loop {
        for engines in namespaces.apis::<UserEngine>(client) {
            match engines.list(&ListParams::default().limit(1)).await {
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, "failed to list UserEngines; trying again"),
            }
        }
        tokio::time::sleep(backoff.next("")).await;
    }
}
