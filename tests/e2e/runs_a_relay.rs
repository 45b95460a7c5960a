//! The relay's own walls, and what its absence takes.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use userengine_api::status::Phase;
use userengine_e2e::{
    Backend, Engine, Namespace, Probe, SYSTEM, eventually, in_namespace, is_ready,
};

const NAME: &str = "userengine-relay";
const SERVICE: &str = "userengine-relay.userengine-system.svc.cluster.local:80";

/// The relays that take requests.
async fn relays(client: &kube::Client) -> anyhow::Result<Vec<Pod>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    let parameters = ListParams::default().labels(&format!("app.kubernetes.io/name={NAME}"));
    let all = pods.list(&parameters).await?.items;
    let serves = |pod: &Pod| pod.metadata.deletion_timestamp.is_none() && is_ready(pod);
    Ok(all.into_iter().filter(serves).collect())
}

/// The API server's Service.
async fn api_server(client: &kube::Client) -> anyhow::Result<String> {
    let services: Api<Service> = Api::namespaced(client.clone(), "default");
    let spec = services.get("kubernetes").await?.spec;
    let address = spec.and_then(|spec| spec.cluster_ip);
    Ok(format!("{}:443", address.context("no address")?))
}

#[tokio::test]
async fn only_whom_the_chart_names_reaches_the_relay_and_it_reaches_nobody() -> anyhow::Result<()> {
    in_namespace("relaywalls", |namespace| async move {
        let backend = Backend::start("relaycaller").await?;
        let result = async {
            let stranger = Probe::start(&namespace, "stranger").await?;
            ensure!(
                backend.probe.can_dial(SERVICE).await?,
                "the ingress is locked out"
            );
            ensure!(
                !stranger.can_dial(SERVICE).await?,
                "a stranger reaches the relay"
            );

            let relay = relays(&namespace.client).await?.pop().context("no relay")?;
            let system = Namespace {
                name: SYSTEM.to_owned(),
                client: namespace.client.clone(),
            };
            let inside = Probe::inside(&system, &relay.name_any()).await?;
            ensure!(
                inside.can_dial("127.0.0.1:8080").await?,
                "the probe does not work"
            );
            // By address: without name servers no name would be reached, whatever the walls.
            let open = Probe::serve(&namespace, "open").await?;
            for target in [open, api_server(&namespace.client).await?] {
                ensure!(
                    stranger.can_dial(&target).await?,
                    "nobody reaches {target}: the question is wrong"
                );
                ensure!(
                    !inside.can_dial(&target).await?,
                    "the relay reaches {target}"
                );
            }
            Ok(())
        }
        .await;
        backend.stop().await?;
        result
    })
    .await
}

#[tokio::test]
async fn the_relay_is_there_twice_restricted_and_without_a_token_or_a_secret() -> anyhow::Result<()>
{
    let client = userengine_e2e::client().await?;
    let pods = relays(&client).await?;
    assert_eq!(pods.len(), 2);
    for pod in pods {
        let pod = serde_json::to_value(pod)?;
        let spec = &pod["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false);
        assert_eq!(spec["volumes"], Value::Null, "{spec}");
        let relay = &spec["containers"][0];
        let security = &relay["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
        assert_eq!(relay["envFrom"], Value::Null);
        assert!(!relay["env"].to_string().contains("valueFrom"), "{relay}");
    }
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client, SYSTEM);
    eventually("one of the two may be disturbed", 30, || async {
        let status = budgets.get(NAME).await?.status.context("no status")?;
        Ok((status.disruptions_allowed == 1).then_some(()))
    })
    .await
}

#[tokio::test]
async fn alone_engines_start_and_serve_while_the_relay_is_away() -> anyhow::Result<()> {
    in_namespace("norelay", |namespace| async move {
        let alice = Engine::ready(&namespace, "alice", "alice").await?;
        let backend = Backend::start("norelaycaller").await?;
        let deployments: Api<Deployment> = Api::namespaced(namespace.client.clone(), SYSTEM);
        let scale = async |replicas: usize| {
            let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
            deployments
                .patch(NAME, &PatchParams::default(), &patch)
                .await?;
            eventually(&format!("{replicas} relays"), 60, || async {
                let there = relays(&namespace.client).await?.len();
                Ok((there == replicas).then_some(()))
            })
            .await
        };
        let before = relays(&namespace.client).await?.len();
        let while_it_is_away = async {
            scale(0).await?;
            eventually("nobody to answer", 30, || async {
                Ok((!backend.probe.can_dial(SERVICE).await?).then_some(()))
            })
            .await?;
            alice.replace_pod().await?;
            alice.wait_phase(Phase::Ready).await?;
            let (status, body) = backend.api(&alice).await?.get("/assets/servers").await?;
            ensure!(status == 200, "{status}: {body}");
            Ok(())
        }
        .await;
        // Whatever came of it: the others need a relay.
        scale(before).await?;
        while_it_is_away?;
        eventually("the relay to answer again", 30, || async {
            Ok(backend.probe.can_dial(SERVICE).await?.then_some(()))
        })
        .await?;
        backend.stop().await
    })
    .await
}
