//! A key that an operator asked for before it died is made after the next one has looked for it: it goes with its engine, which
//! is gone before anybody could write down that there is such a key.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use userengine_e2e::life::{Life, Story};
use userengine_e2e::local_operator::LocalOperator;
use userengine_e2e::{eventually, in_namespace, without_operators};

/// The second write of a birth makes the key; the first is the finalizer.
const KEY: usize = 2;
/// For so long the write is under way: long enough for the next operator to come and look.
const LATE: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn alone_a_key_that_is_made_late_goes_with_the_engine_that_it_was_for() -> anyhow::Result<()>
{
    let client = userengine_e2e::client().await?;
    without_operators(&client, async {
        let operator = LocalOperator::start(&client).await?;
        let lived = in_namespace("late-key", |namespace| async {
            let namespace = namespace;
            let life = Life::new(&operator, &namespace, "Delete").await?;
            let between = &operator.between;
            between.count(&namespace.name);
            between.hold_back(KEY);
            operator.rest_at_the_end();
            life.begin(Story::Create).await?;
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
            ensure!(late.changed, "no key was made: {late:?}");
            let secrets: Api<Secret> = namespace.api();
            eventually("the key to be gone", 30, || async {
                let left = secrets.list(&ListParams::default()).await?;
                let left: Vec<_> = left.iter().map(ResourceExt::name_any).collect();
                ensure!(left.is_empty(), "{left:?} is left");
                Ok(Some(()))
            })
            .await?;
            life.end().await
        });
        lived.await.with_context(|| operator.log())?;
        operator.stop().await
    })
    .await
}
