//! The simulated server, as a client sees it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;
use userengine_api::UserEngine;
use userengine_e2e::SYSTEM;

use super::fixtures::{copies, template};
use super::serve::serve;
use super::server::Server;

async fn served(size: usize) -> (Server, Client, JoinSet<()>) {
    let server = Server::new(copies(size), template().class);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let serving = serve(server.router(), &path).await.unwrap();
    let config = Kubeconfig::read_from(path).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
        .await
        .unwrap();
    (server, Client::try_from(config).unwrap(), serving)
}

/// What an operator writes of an engine that rests.
fn at_rest(status: &Value) -> Patch<Value> {
    Patch::Apply(
        json!({ "apiVersion": "userengine.dev/v1alpha1", "kind": "UserEngine", "status": status }),
    )
}

#[tokio::test]
async fn lists_have_pages_and_metadata_is_metadata_only() {
    let (server, client, _serving) = served(12).await;
    let services: Api<Service> = Api::all(client.clone());
    let mut part = ListParams::default().limit(5);
    let mut names = BTreeSet::new();
    for expected in [5, 5, 5, 5, 4] {
        let page = services.list_metadata(&part).await.unwrap();
        assert_eq!(page.items.len(), expected);
        let kinds = page
            .iter()
            .map(|service| &service.types.as_ref().unwrap().kind);
        assert!(
            kinds
                .into_iter()
                .all(|kind| kind == "PartialObjectMetadata")
        );
        names.extend(page.iter().map(ResourceExt::name_any));
        part.continue_token.clone_from(&page.metadata.continue_);
    }
    assert_eq!((part.continue_token, names.len()), (None, 24));
    let nowhere = Api::<ConfigMap>::namespaced(client.clone(), SYSTEM);
    assert_eq!(nowhere.list(&part_of(3)).await.unwrap().items, []);
    let pods = Api::<Pod>::namespaced(client, "workspace-0");
    assert_eq!(pods.list(&part_of(3)).await.unwrap().items, []);
    assert_eq!(server.counts().strange, 0);
}

fn part_of(limit: u32) -> ListParams {
    ListParams::default().limit(limit)
}

#[tokio::test]
async fn an_engine_that_comes_to_rest_is_seen_by_a_watch_and_counted() {
    let (server, client, _serving) = served(3).await;
    let engines: Api<UserEngine> = Api::namespaced(client.clone(), "workspace-0");
    let watched = Api::<UserEngine>::all(client);
    let events = watcher(watched, Config::default().page_size(2).timeout(1));
    let mut events = std::pin::pin!(events);
    let mut seen = Vec::new();
    let status = json!({ "phase": "Suspended", "settled": "00000000000000aa", "url": "https://x" });
    let all = timeout(Duration::from_secs(20), async {
        while let Some(event) = events.next().await {
            match event.unwrap() {
                Event::InitDone => {
                    // The watch has come to its end and is open again.
                    engines
                        .patch_status("engine-1", &PatchParams::apply("test"), &at_rest(&status))
                        .await
                        .unwrap();
                }
                Event::Apply(engine) => return engine,
                Event::InitApply(engine) => seen.push(engine.name_any()),
                event => assert!(matches!(event, Event::Init), "{event:?}"),
            }
        }
        unreachable!("a watch is opened again")
    });
    let rested = all.await.unwrap();
    assert_eq!(seen, ["engine-0", "engine-1", "engine-2"]);
    assert_eq!(rested.name_any(), "engine-1");
    assert_eq!(
        rested.status.unwrap().settled.as_deref(),
        Some("00000000000000aa")
    );
    let counts = server.counts();
    assert_eq!((counts.rests, counts.strange), (1, 0));
}

#[tokio::test]
async fn a_lease_is_kept_and_every_other_write_is_refused_and_counted() {
    let (server, client, _serving) = served(3).await;
    let leases: Api<Lease> = Api::namespaced(client.clone(), SYSTEM);
    assert_eq!(leases.get_opt("a").await.unwrap(), None);
    let lease = serde_json::from_value(
        json!({ "metadata": { "name": "a" }, "spec": { "holderIdentity": "me" } }),
    )
    .unwrap();
    let created = leases.create(&PostParams::default(), &lease).await.unwrap();
    assert_eq!(leases.get_opt("a").await.unwrap(), Some(created));
    let config_maps: Api<ConfigMap> = Api::namespaced(client, "workspace-0");
    let there = config_maps.get("engine-2").await.unwrap();
    assert!(config_maps.get_opt("engine-3").await.unwrap().is_none());
    assert_eq!(server.counts().strange, 0);
    let replaced = config_maps
        .replace("engine-2", &PostParams::default(), &there)
        .await;
    assert!(matches!(replaced, Err(kube::Error::Api(status)) if status.code == 405));
    let counts = server.counts();
    assert_eq!((counts.rests, counts.strange), (0, 1));
    assert!(counts.first_strange.unwrap().starts_with("PUT"));
}
