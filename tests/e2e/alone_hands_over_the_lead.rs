//! Of two operators one leads. Whatever becomes of it, the other one goes on, and what it was in the middle of does not come after.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use rustix::process::Signal;
use serde_json::json;
use userengine_api::labels;
use userengine_api::status::Phase;
use userengine_e2e::attempts::as_operator;
use userengine_e2e::machine::signal;
use userengine_e2e::{
    Engine, Namespace, SYSTEM, engine, eventually, in_namespace, leader, operator_metrics,
    operators, scale_operators, wait_for_next_leader, wait_for_operators,
};

/// A test with two operators; whatever comes of it, the others find one.
async fn with_two<F>(test: &str, body: impl FnOnce(Namespace) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    in_namespace(test, |namespace| async move {
        let client = namespace.client.clone();
        scale_operators(&client, 2).await?;
        let there = wait_for_operators(&client, 2).await;
        let result = match there {
            Ok(()) => body(namespace).await,
            Err(error) => Err(error),
        };
        scale_operators(&client, 1).await?;
        result?;
        wait_for_operators(&client, 1).await
    })
    .await
}

async fn leading(client: &Client) -> anyhow::Result<Pod> {
    let name = leader(client).await?.context("nobody leads")?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    Ok(pods.get(&name).await?)
}

fn send(pod: &Pod, what: Signal) -> anyhow::Result<()> {
    ensure!(signal(pod, "operator", what)? == 1, "no process");
    Ok(())
}

async fn delete(client: &Client, pod: &Pod, how: &DeleteParams) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    pods.delete(&pod.name_any(), how).await?;
    Ok(())
}

#[tokio::test]
async fn alone_when_the_leader_dies_the_next_one_works_within_twenty_seconds() -> anyhow::Result<()>
{
    with_two("leader-dies", |namespace| async move {
        let first = leading(&namespace.client).await?;
        // Like a node that fails: it says nothing any more, and hears nothing.
        send(&first, Signal::STOP)?;
        let alice = Engine::create(&namespace, engine("alice", "alice")).await?;
        let now = DeleteParams::default().grace_period(0);
        delete(&namespace.client, &first, &now).await?;
        is_held(&alice).await?;
        ensure!(leader(&namespace.client).await? != Some(first.name_any()));
        alice.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

/// Somebody looks after an engine: the first thing that is written.
async fn is_held(engine: &Engine) -> anyhow::Result<()> {
    eventually("somebody to look after it", 20, || async {
        Ok((!engine.get().await?.finalizers().is_empty()).then_some(()))
    })
    .await
}

#[tokio::test]
async fn alone_engines_that_are_born_while_the_lead_changes_have_one_key_each() -> anyhow::Result<()>
{
    with_two("births", |namespace| async move {
        let client = &namespace.client;
        let mut engines = Vec::new();
        for round in 0..3 {
            for index in 0..3 {
                let name = format!("user-{round}-{index}");
                engines.push(Engine::create(&namespace, engine(&name, &name)).await?);
            }
            let last = leading(client).await?;
            delete(client, &last, &DeleteParams::default()).await?;
            // It finishes what it has in hand and releases the Lease, so that nobody waits until that has run out: 12.5 s or more.
            let next = wait_for_next_leader(client, &last.name_any(), 12).await?;
            says_that_it_leads(client, &next).await?;
            wait_for_operators(client, 2).await?;
        }
        let secrets: Api<Secret> = namespace.api();
        for engine in &engines {
            engine.wait_phase(Phase::Ready).await?;
            let keys = format!("{}={},{}", labels::ENGINE, engine.name, labels::KID);
            let keys = secrets.list(&ListParams::default().labels(&keys)).await?;
            ensure!(
                keys.items.len() == 1,
                "{}: {}",
                engine.name,
                keys.items.len()
            );
        }
        Ok(())
    })
    .await
}

/// In its metrics, and no other does.
async fn says_that_it_leads(client: &Client, leader: &Pod) -> anyhow::Result<()> {
    let leader = leader.name_any();
    eventually(
        &format!("{leader} alone to say that it leads"),
        30,
        || async {
            let mut leaders = Vec::new();
            for pod in operators(client).await? {
                let name = pod.name_any();
                // One that starts does not answer yet, one that stops no more.
                let text = operator_metrics(client, &name).await.unwrap_or_default();
                if text.contains("\nuserengine_operator_leader 1\n") {
                    leaders.push(name);
                }
            }
            Ok((leaders == [leader.as_str()]).then_some(()))
        },
    )
    .await
}

#[tokio::test]
async fn alone_a_leader_that_stood_still_ends_without_a_write_of_its_own() -> anyhow::Result<()> {
    with_two("stands-still", |namespace| async move {
        let client = namespace.client.clone();
        Engine::ready(&namespace, "alice", "alice").await?;
        let first = leading(&client).await?;
        send(&first, Signal::STOP)?;
        let second = wait_for_next_leader(&client, &first.name_any(), 30).await;
        let awake = async {
            let second = second?;
            let bob = Engine::create(&namespace, engine("bob", "bob")).await?;
            is_held(&bob).await?;
            // Now there is something to do, which only the first could.
            send(&second, Signal::STOP)?;
            let ended = awakes_to_end(&namespace, &first).await;
            send(&second, Signal::CONT)?;
            ended.map(|()| bob)
        }
        .await;
        // Whatever came of it; it may have ended before.
        signal(&first, "operator", Signal::CONT)?;
        let bob = awake?;
        let services: Api<Service> = namespace.api();
        eventually("somebody to put it right", 60, || async {
            Ok(services.get_opt("alice").await?)
        })
        .await?;
        bob.wait_phase(Phase::Ready).await?;
        Ok(())
    })
    .await
}

/// Deletes a child, lets the operator go on, and sees that it ends and has not put the child right.
async fn awakes_to_end(namespace: &Namespace, operator: &Pod) -> anyhow::Result<()> {
    let services: Api<Service> = namespace.api();
    services.delete("alice", &DeleteParams::default()).await?;
    send(operator, Signal::CONT)?;
    let before = restarts(operator).0;
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), SYSTEM);
    let code = eventually("the first leader to end", 20, || async {
        let (count, code) = restarts(&pods.get(&operator.name_any()).await?);
        Ok(code.filter(|_| count > before))
    })
    .await?;
    ensure!(code == 1, "it ended with {code}");
    let written = services.get_opt("alice").await?;
    ensure!(written.is_none(), "it wrote");
    Ok(())
}

/// How often a pod's container was started again, and how it ended last.
fn restarts(pod: &Pod) -> (i32, Option<i32>) {
    let containers = pod.status.iter().flat_map(|it| &it.container_statuses);
    let container = containers.flatten().next();
    let ended = container.and_then(|it| it.last_state.as_ref()?.terminated.as_ref());
    (
        container.map_or(0, |it| it.restart_count),
        ended.map(|ended| ended.exit_code),
    )
}

#[tokio::test]
async fn alone_the_operator_may_write_its_own_lease_and_no_other() -> anyhow::Result<()> {
    let operator = as_operator().await?;
    let leases = |namespace: &str| Api::<Lease>::namespaced(operator.clone(), namespace);
    leases(SYSTEM).get("userengine-operator").await?;
    let patch = Patch::Merge(json!({ "spec": { "holderIdentity": "somebody" } }));
    let how = PatchParams::default();
    let refused = [
        leases("kube-system").get("kube-scheduler").await.map(drop),
        leases(SYSTEM).get("another").await.map(drop),
        leases(SYSTEM).list(&ListParams::default()).await.map(drop),
        leases(SYSTEM)
            .patch("userengine-operator", &how, &patch)
            .await
            .map(drop),
        leases(SYSTEM)
            .delete("userengine-operator", &DeleteParams::default())
            .await
            .map(drop),
    ];
    for (index, refused) in refused.into_iter().enumerate() {
        let is_forbidden = matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403);
        ensure!(is_forbidden, "{index}: {refused:?}");
    }
    Ok(())
}
