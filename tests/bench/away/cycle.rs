//! One cycle of both sides, as seen from outside: the engine's pod goes, a Job's pod works, an engine's pod comes.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{ListParams, WatchParams};
use userengine_e2e::{Namespace, is_ready};

use crate::machine::milliseconds;
use crate::watching::{Events, gone, seen, watch, watch_those};

/// Milliseconds of one cycle.
#[derive(Debug, Clone, Copy)]
pub struct Cycle {
    /// From the last good answer before it to the first good one after it.
    pub away: f64,
    /// From the request that began it until the engine's pod was gone.
    pub stopping: f64,
    /// From then until the Job's pod had done its work.
    pub working: f64,
    /// From then until the engine's pod was Ready.
    pub starting: f64,
}

/// The cycles of one side, part by part.
#[derive(Debug, Default)]
pub struct Cycles {
    /// See [`Cycle::away`].
    pub away: Vec<f64>,
    /// See [`Cycle::stopping`].
    pub stopping: Vec<f64>,
    /// See [`Cycle::working`].
    pub working: Vec<f64>,
    /// See [`Cycle::starting`].
    pub starting: Vec<f64>,
}

impl Cycles {
    /// Adds one.
    pub fn take(&mut self, cycle: Cycle) {
        self.away.push(cycle.away);
        self.stopping.push(cycle.stopping);
        self.working.push(cycle.working);
        self.starting.push(cycle.starting);
    }
}

/// The moments between the parts of a cycle.
pub struct Moments {
    /// Before the request.
    pub began: Instant,
    /// The engine's pod was gone.
    pub gone: Instant,
    /// The Job's pod had done its work.
    pub done: Instant,
    /// The engine's pod was Ready.
    pub ready: Instant,
}

impl Moments {
    /// The cycle, with how long the engine was away.
    pub fn cycle(&self, away: Duration) -> Cycle {
        Cycle {
            away: milliseconds(away),
            stopping: milliseconds(self.gone - self.began),
            working: milliseconds(self.done - self.gone),
            starting: milliseconds(self.ready - self.done),
        }
    }
}

/// What happens to the engine's pod and to Jobs' pods.
pub struct Watches {
    engine: Events<Pod>,
    jobs: Events<Pod>,
    /// Jobs' pods that were there before.
    former: Vec<String>,
}

impl Watches {
    /// Open before anything is asked of the cluster. `jobs` selects the Jobs' pods.
    pub async fn open(namespace: &Namespace, engine: &str, jobs: &str) -> anyhow::Result<Self> {
        let chosen = ListParams::default().labels(jobs);
        let former = namespace.api::<Pod>().list_metadata(&chosen).await?;
        Ok(Self {
            engine: watch(namespace, &format!("{engine}-0")).await?,
            jobs: watch_those(namespace, WatchParams::default().labels(jobs)).await?,
            former: former.iter().filter_map(ResourceExt::uid).collect(),
        })
    }

    /// The engine's pod was gone.
    pub async fn gone(&mut self) -> anyhow::Result<Instant> {
        gone(&mut self.engine, "the engine's pod is gone").await
    }

    /// The pod of a new Job had done its work.
    pub async fn done(&mut self) -> anyhow::Result<Instant> {
        done(&mut self.jobs, &self.former).await
    }

    /// The engine's pod was Ready.
    pub async fn ready(&mut self) -> anyhow::Result<Instant> {
        seen(&mut self.engine, is_ready, "the engine's pod is Ready").await
    }

    /// All of them, when somebody else sees to it that they come. Gives when the pod was gone, the work done, and the pod
    /// Ready.
    pub async fn all(&mut self) -> anyhow::Result<(Instant, Instant, Instant)> {
        let (engine, jobs, former) = (&mut self.engine, &mut self.jobs, &self.former);
        let of_engine = async {
            let gone = gone(engine, "the engine's pod is gone").await?;
            let ready = seen(engine, is_ready, "the engine's pod is Ready").await?;
            anyhow::Ok((gone, ready))
        };
        let ((gone, ready), done) = futures::try_join!(of_engine, done(jobs, former))?;
        Ok((gone, done, ready))
    }
}

async fn done(jobs: &mut Events<Pod>, former: &[String]) -> anyhow::Result<Instant> {
    let is_done = |pod: &Pod| {
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        phase == Some("Succeeded") && pod.uid().is_some_and(|uid| !former.contains(&uid))
    };
    seen(jobs, is_done, "the Job's pod has done its work").await
}
