//! Apply → Ready: one `UserEngine`, against the same pod applied by hand.

use std::time::Instant;

use anyhow::bail;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ApiResource, DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use userengine_api::UserEngine;
use userengine_api::status::Phase;
use userengine_e2e::{Namespace, eventually, is_ready};

use crate::by_hand::{ByHand, TEMPLATE, api};
use crate::machine::{milliseconds, wait_until_quiet};
use crate::on_cluster::{CLASS, QUIET, in_namespace};
use crate::report::{Against, Budget, Line, Measured};
use crate::summary::number;
use crate::watching::{DEADLINE, Events, seen, wait_for_phase, watch};

/// Measures `rounds` of each, alternating which of them is first.
pub fn measure(rounds: u32) -> anyhow::Result<Measured> {
    in_namespace(async |namespace| measure_in(namespace, rounds).await)
}

async fn measure_in(namespace: &Namespace, rounds: u32) -> anyhow::Result<Measured> {
    let bench = Bench::prepare(namespace).await?;
    eprintln!("    warm-up");
    bench.ours("ours-warm").await?;
    bench.hand("hand-warm").await?;

    let (mut ours, mut hand, mut engines) = (Pods::default(), Pods::default(), Vec::new());
    let (mut busy, origin) = (Vec::new(), Instant::now());
    for round in 0..rounds {
        for ours_now in [round % 2 == 0, round % 2 == 1] {
            busy.push(wait_until_quiet(QUIET)?);
            wait_for_phase(origin, f64::from(round) / f64::from(rounds)).await;
            if ours_now {
                let (pod, engine) = bench.ours(&format!("ours-{round}")).await?;
                ours.take(&pod);
                engines.push(engine);
            } else {
                hand.take(&bench.hand(&format!("hand-{round}")).await?);
            }
        }
        let last = |rounds: &[f64]| rounds.last().copied().map(number).unwrap_or_default();
        eprintln!(
            "    round {} of {rounds}: pod Ready {} ms (engine Ready {} ms), by hand {} ms",
            round + 1,
            last(&ours.ready),
            last(&engines),
            last(&hand.ready)
        );
    }
    Ok(Measured {
        lines: vec![
            line(
                "apply → pod Ready, one engine",
                ours.ready,
                hand.ready.clone(),
                Some(Budget::Ratio(1.25)),
            ),
            line("apply → the pod exists", ours.exists, hand.exists, None),
            line("apply → `UserEngine` says Ready", engines, hand.ready, None),
        ],
        busy,
        notes: vec![bench.describe().await?],
    })
}

fn line(what: &str, ours: Vec<f64>, rounds: Vec<f64>, budget: Option<Budget>) -> Line {
    let by_hand = if what.contains("exists") {
        "the same by hand"
    } else {
        "the same by hand, pod Ready"
    };
    Line {
        what: what.to_owned(),
        unit: "ms".to_owned(),
        ours,
        against: Some(Against {
            what: by_hand.to_owned(),
            rounds,
        }),
        budget,
    }
}

/// The pods of one side, round by round, in milliseconds after the first request.
#[derive(Default)]
struct Pods {
    exists: Vec<f64>,
    ready: Vec<f64>,
}

impl Pods {
    fn take(&mut self, pod: &Pod) {
        self.exists.push(pod.exists);
        self.ready.push(pod.ready);
    }
}

/// One of them.
struct Pod {
    exists: f64,
    ready: f64,
}

struct Bench<'a> {
    namespace: &'a Namespace,
    by_hand: ByHand,
}

impl<'a> Bench<'a> {
    /// Makes an engine, copies its objects, and removes it.
    async fn prepare(namespace: &'a Namespace) -> anyhow::Result<Self> {
        eprintln!("    an engine to copy");
        create_engine(namespace, TEMPLATE).await?;
        eventually("the first engine to be Ready", DEADLINE.into(), || async {
            let engine = namespace.api::<UserEngine>().get(TEMPLATE).await?;
            Ok(says_ready(&engine).then_some(()))
        })
        .await?;
        let bench = Self {
            namespace,
            by_hand: ByHand::copy(namespace).await?,
        };
        bench.delete_engine(TEMPLATE).await?;
        Ok(bench)
    }

    /// Creates one `UserEngine`, waits until it serves, and removes it. Gives its pod, and when it said that it is Ready.
    async fn ours(&self, name: &str) -> anyhow::Result<(Pod, f64)> {
        let pod = watch::<core::Pod>(self.namespace, &format!("{name}-0")).await?;
        let mut engine = watch::<UserEngine>(self.namespace, name).await?;
        let began = Instant::now();
        create_engine(self.namespace, name).await?;
        let (pod, engine) = futures::try_join!(
            follow(pod, began),
            seen(&mut engine, says_ready, "the engine is Ready"),
        )?;
        self.delete_engine(name).await?;
        Ok((pod, milliseconds(engine - began)))
    }

    /// Creates the same objects by hand, waits until the pod is Ready, and removes them.
    async fn hand(&self, name: &str) -> anyhow::Result<Pod> {
        let pod = watch::<core::Pod>(self.namespace, &format!("{name}-0")).await?;
        let began = Instant::now();
        let (pod, ()) = futures::try_join!(
            follow(pod, began),
            self.by_hand.create(self.namespace, name),
        )?;
        self.by_hand.delete(self.namespace, name).await?;
        self.wait_until_gone(name).await?;
        Ok(pod)
    }

    /// What the figures depend on besides the machine.
    async fn describe(&self) -> anyhow::Result<String> {
        let version = self.namespace.client.apiserver_version().await?.git_version;
        Ok(format!(
            "Kubernetes {version}. Resources of the container on both sides: `{}`.",
            self.by_hand.resources()
        ))
    }

    async fn delete_engine(&self, name: &str) -> anyhow::Result<()> {
        self.namespace
            .api::<UserEngine>()
            .delete(name, &DeleteParams::default())
            .await?;
        self.wait_until_gone(name).await
    }

    /// Nothing of this name is left, so that no round disturbs the next one.
    async fn wait_until_gone(&self, name: &str) -> anyhow::Result<()> {
        eventually(
            &format!("all of {name} to be gone"),
            DEADLINE.into(),
            || async {
                match self.left_of(name).await? {
                    Some(left) => bail!("{left} is still there"),
                    None => Ok(Some(())),
                }
            },
        )
        .await
    }

    async fn left_of(&self, name: &str) -> anyhow::Result<Option<String>> {
        let kinds = [
            ApiResource::erase::<UserEngine>(&()),
            ApiResource::erase::<core::Pod>(&()),
            ApiResource::erase::<StatefulSet>(&()),
            ApiResource::erase::<core::PersistentVolumeClaim>(&()),
            ApiResource::erase::<core::Service>(&()),
            ApiResource::erase::<EndpointSlice>(&()),
            ApiResource::erase::<core::Secret>(&()),
            ApiResource::erase::<core::ConfigMap>(&()),
            ApiResource::erase::<core::ServiceAccount>(&()),
            ApiResource::erase::<NetworkPolicy>(&()),
        ];
        let prefix = format!("{name}-");
        for kind in kinds {
            let all = api(self.namespace, &kind)
                .list_metadata(&ListParams::default())
                .await?;
            let mut names = all.iter().map(ResourceExt::name_any);
            if let Some(left) = names.find(|left| left == name || left.starts_with(&prefix)) {
                return Ok(Some(format!("{} {left}", kind.kind)));
            }
        }
        let volumes: Api<core::PersistentVolume> = Api::all(self.namespace.client.clone());
        let volumes = volumes.list(&ListParams::default()).await?;
        let of_ours = |volume: &&core::PersistentVolume| {
            let claim = volume
                .spec
                .as_ref()
                .and_then(|spec| spec.claim_ref.as_ref());
            claim.is_some_and(|claim| claim.namespace.as_ref() == Some(&self.namespace.name))
        };
        let left = volumes.iter().find(of_ours);
        Ok(left.map(|volume| format!("PersistentVolume {}", volume.name_any())))
    }
}

/// Creates an engine of the class [`CLASS`], which goes with its brain.
pub async fn create_engine(namespace: &Namespace, name: &str) -> anyhow::Result<()> {
    let object = json!({
        "apiVersion": "userengine.dev/v1alpha1",
        "kind": "UserEngine",
        "metadata": { "name": name },
        "spec": { "user": "bench@example.com", "className": CLASS, "deletionPolicy": "Delete" },
    });
    namespace.create_object::<UserEngine>(object).await?;
    Ok(())
}

fn says_ready(engine: &UserEngine) -> bool {
    let status = engine.status.as_ref();
    status.is_some_and(|status| status.phase == Some(Phase::Ready))
}

/// When a pod was first there, and when it was Ready.
async fn follow(mut events: Events<core::Pod>, began: Instant) -> anyhow::Result<Pod> {
    let exists = seen(&mut events, |_| true, "the pod exists").await?;
    let ready = seen(&mut events, is_ready, "the pod is Ready").await?;
    Ok(Pod {
        exists: milliseconds(exists - began),
        ready: milliseconds(ready - began),
    })
}
