//! A value that no key opens stops a rotation before anything is written, until somebody gives it up by its name.

use anyhow::{Context as _, ensure};
use serde_json::json;
use userengine_api::status::Phase;
use userengine_e2e::{Brain, Connected, at, in_namespace};

#[tokio::test]
async fn a_row_that_no_key_opens_stops_a_rotation_until_it_is_given_up_by_name()
-> anyhow::Result<()> {
    in_namespace("spoilt", |namespace| async move {
        let connected = Connected::new("spoilt", &namespace).await?;
        let result = given_up(&connected).await;
        connected.clear().await?;
        result
    })
    .await
}

async fn given_up(connected: &Connected) -> anyhow::Result<()> {
    let (engine, row) = (&connected.engine, &connected.ref_id);
    let before = engine.key_in("active").await?;
    engine.change(json!({ "suspended": true })).await?;
    engine.wait_phase(Phase::Suspended).await?;
    let brain = Brain::mount(engine).await?;
    // A sealed value is a Fernet token, and each of those begins like this.
    brain
        .run(&["spoil", "/data/brain.sqlite", row, "gAAAAA"])
        .await?;
    brain.unmount().await?;
    engine.change(json!({ "suspended": false })).await?;
    engine.wait_phase(Phase::Ready).await?;

    engine.rotate(json!({ "id": "r-1" })).await?;
    engine.wait_rotation("r-1", "Refused").await?;
    let said = engine
        .wait_reason("EncryptionUpToDate", "RotationRefused")
        .await?;
    ensure!(said.message.contains("RowsUnreadable"), "{}", said.message);
    engine.wait_phase(Phase::Ready).await?;
    assert_eq!(engine.key_in("active").await?, before);

    let aside = json!([format!("connections/{row}")]);
    engine
        .rotate(json!({ "id": "r-2", "setAside": aside }))
        .await?;
    let done = engine.wait_rotation("r-2", "Certified").await?;
    engine.wait_phase(Phase::Ready).await?;
    let certificate = done.certificate.context("no certificate")?;
    assert_eq!(at(&certificate, "/quarantined"), 1);
    Ok(())
}
