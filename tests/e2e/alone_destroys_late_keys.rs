//! A key that an operator asked for before it died is made after the next one has looked for it: it goes with the engine that it
//! was for, which nobody could trace it to afterwards.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::life::{Life, Story};
use userengine_e2e::local_operator::LocalOperator;
use userengine_e2e::{Namespace, eventually, in_namespace, without_operators};

/// For so long the write is under way: long enough for the next operator to come and look.
const LATE: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn alone_a_key_that_is_made_late_goes_with_the_engine_that_it_was_for() -> anyhow::Result<()>
{
    let client = userengine_e2e::client().await?;
    without_operators(&client, async {
        let operator = LocalOperator::start(&client).await?;
        let lived = in_namespace("late-key", |namespace| Box::pin(dies(&operator, namespace)));
        lived.await.with_context(|| operator.log())?;
        operator.stop().await
    })
    .await
}

/// At a birth, and in a rotation.
async fn dies(operator: &LocalOperator, namespace: Namespace) -> anyhow::Result<()> {
    let life = Life::new(operator, &namespace, "Delete").await?;
    // After the finalizer.
    dies_at_its_key(operator, &life, 2, life.begin(Story::Create)).await?;
    wait_for_no_key(&namespace).await?;
    life.begin(Story::Create).await?;
    life.engine.wait_phase(Phase::Ready).await?;
    life.engine.wait_rest().await?;
    let rotation = json!({ "encryption": { "rotation": { "id": "r-1" } } });
    // After the record.
    dies_at_its_key(operator, &life, 2, life.engine.change(rotation)).await?;
    wait_for_no_key(&namespace).await?;
    life.end().await
}

/// The operator dies while it waits for its key, the write of this number, which is made when the engine is being deleted and the
/// next operator has had the time to see that there is none.
async fn dies_at_its_key(
    operator: &LocalOperator,
    life: &Life<'_>,
    write: usize,
    change: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let between = &operator.between;
    between.count(&life.engine.namespace.name);
    between.hold_back(write);
    operator.rest_at_the_end();
    change.await?;
    eventually("the operator to die at that write", 60, || async {
        Ok((!between.is_deadly()).then_some(()))
    })
    .await?;
    life.begin(Story::Delete).await?;
    operator.resume();
    // The harm itself: nothing is waited for.
    tokio::time::sleep(LATE).await;
    let late = between.let_through().await?;
    let late = late.context("no write was held back")?;
    ensure!(
        late.changed && late.write.ends_with("/secrets"),
        "no key was made: {late:?}"
    );
    Ok(())
}

async fn wait_for_no_key(namespace: &Namespace) -> anyhow::Result<()> {
    let secrets: Api<Secret> = namespace.api();
    let keys = ListParams::default().labels("userengine.dev/kid");
    eventually("the keys to be gone", 30, || async {
        let left = secrets.list(&keys).await?;
        let left: Vec<_> = left.iter().map(ResourceExt::name_any).collect();
        ensure!(left.is_empty(), "{left:?} is left");
        Ok(Some(()))
    })
    .await
}
