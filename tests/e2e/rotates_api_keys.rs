//! Another API key, and nobody is refused on the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use userengine_api::status::{ApiKeyInfo, Phase};
use userengine_e2e::state::state;
use userengine_e2e::{Backend, Engine, Namespace, eventually, holds, in_namespace};

/// Seconds of overlap.
const OVERLAP: f64 = 10.0;
/// Seconds after which a former key has to be refused: the overlap, and the way to the engine.
const MOST: f64 = 20.0;

async fn status(engine: &Engine) -> anyhow::Result<ApiKeyInfo> {
    let status = engine.get().await?.status.unwrap_or_default();
    Ok(status.api_key.unwrap_or_default())
}

async fn wait_done(engine: &Engine, id: &str) -> anyhow::Result<()> {
    eventually(&format!("rotation {id} to be done"), 60, || async {
        let now = status(engine).await?;
        ensure!(now.rotation_id.as_deref() == Some(id), "{now:?}");
        Ok(Some(()))
    })
    .await?;
    let now = status(engine).await?;
    ensure!(now.phase.is_none() && now.message.is_empty(), "{now:?}");
    Ok(())
}

async fn secret(namespace: &Namespace) -> anyhow::Result<Secret> {
    Ok(namespace.api().get("alice-api-key").await?)
}

async fn answer(backend: &Backend, engine: &Engine, key: &str) -> anyhow::Result<Option<u16>> {
    let url = engine.url("/openapi.json");
    Ok(backend.probe.get(&url, Some(key)).await?.status())
}

/// Calls the engine with what the Secret holds, all the time, and gives the number of calls.
async fn call_until(over: &AtomicBool, backend: &Backend, engine: &Engine) -> anyhow::Result<u32> {
    let mut calls = 0;
    while !over.load(Ordering::Relaxed) {
        let key = engine.api_key().await?;
        let status = answer(backend, engine, &key).await?;
        ensure!(status == Some(200), "call {calls}: {status:?}");
        calls += 1;
    }
    Ok(calls)
}

async fn rotate(backend: &Backend, engine: &Engine) -> anyhow::Result<()> {
    let old = engine.api_key().await?;
    let asked = Instant::now();
    engine
        .change(json!({ "apiKey": { "rotationId": "r-1", "overlap": format!("{OVERLAP}s") } }))
        .await?;
    eventually("the Secret to hold another key", 60, || async {
        Ok((engine.api_key().await? != old).then_some(()))
    })
    .await?;
    let swapped = Instant::now();
    let overlapping = eventually("the overlap to be told", 60, || async {
        let now = status(engine).await?;
        ensure!(now.phase.as_deref() == Some("Overlapping"), "{now:?}");
        Ok(Some(now))
    })
    .await?;
    println!(
        "another key was there after {:.1} s",
        (swapped - asked).as_secs_f64()
    );
    ensure!(overlapping.rotation_id.is_none(), "it is not done yet");
    let new = engine.api_key().await?;
    ensure!(new != old && new.len() == 43, "no other key");
    assert_eq!(answer(backend, engine, &new).await?, Some(200));
    assert_eq!(answer(backend, engine, &old).await?, Some(200));

    eventually("the former key to be refused", 60, || async {
        Ok((answer(backend, engine, &old).await? == Some(401)).then_some(()))
    })
    .await?;
    let took = swapped.elapsed().as_secs_f64();
    println!("the former key was refused after {took:.1} s");
    // What was seen of the swap came a little after it.
    ensure!(took > OVERLAP - 2.0, "the overlap had {took:.1} s only");
    ensure!(took < MOST, "the former key was accepted for {took:.1} s");
    wait_done(engine, "r-1").await?;
    assert_eq!(answer(backend, engine, &old).await?, Some(401));
    assert_eq!(answer(backend, engine, &new).await?, Some(200));
    Ok(())
}

#[tokio::test]
async fn a_caller_that_reads_the_key_where_it_is_sees_no_refusal_while_it_changes()
-> anyhow::Result<()> {
    in_namespace("apikey", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let backend = Backend::start("apikey").await?;
        let pod = engine.pod_uid().await?;
        let over = AtomicBool::new(false);
        let rotation = async {
            let rotated = rotate(&backend, &engine).await;
            over.store(true, Ordering::Relaxed);
            rotated
        };
        let (calls, rotated) = tokio::join!(call_until(&over, &backend, &engine), rotation);
        rotated?;
        let calls = calls.context("a call with the key in the Secret")?;
        println!("{calls} calls were answered meanwhile");
        ensure!(calls > 10, "{calls} calls only");
        assert_eq!(engine.pod_uid().await?, pod);
        backend.stop().await?;
        tells_each_turn_once(&namespace).await
    })
    .await
}

async fn tells_each_turn_once(namespace: &Namespace) -> anyhow::Result<()> {
    let expected = ["ApiKeyRetired", "ApiKeyRotated", "ApiKeyRotationStarted"];
    eventually("each turn to be told once", 20, || async {
        let events: Api<Event> = namespace.api();
        let told = events.list(&ListParams::default()).await?;
        let mut told: Vec<_> = told
            .into_iter()
            .filter(|event| event.series.is_none())
            .filter_map(|event| event.reason)
            .filter(|reason| reason.starts_with("ApiKey"))
            .collect();
        told.sort();
        ensure!(told == expected, "{told:?}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test]
async fn a_suspended_engine_has_another_key_at_once_and_the_same_id_does_nothing_more()
-> anyhow::Result<()> {
    in_namespace("asleepkey", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let backend = Backend::start("asleepkey").await?;
        let old = engine.api_key().await?;
        engine.change(json!({ "suspended": true })).await?;
        engine.wait_phase(Phase::Suspended).await?;
        let asked = json!({ "apiKey": { "rotationId": "r-1", "overlap": "5s" } });
        engine.change(asked.clone()).await?;
        let new = eventually("another key", 15, || async {
            Ok(Some(engine.api_key().await?).filter(|key| *key != old))
        })
        .await?;
        wait_done(&engine, "r-1").await?;

        engine.change(json!({ "suspended": false })).await?;
        engine.wait_phase(Phase::Ready).await?;
        eventually("the Service to lead there", 30, || async {
            Ok((answer(&backend, &engine, &new).await? == Some(200)).then_some(()))
        })
        .await?;
        assert_eq!(answer(&backend, &engine, &old).await?, Some(401));
        backend.stop().await?;

        let version = secret(&namespace).await?.resource_version();
        engine.change(asked).await?;
        // Something else that wakes the operator, so that it looks at the id again.
        engine.change(json!({ "deletionPolicy": "Delete" })).await?;
        engine.wait_phase(Phase::Ready).await?;
        holds("the Secret stays as it is", 5, || async {
            Ok(secret(&namespace).await?.resource_version() == version)
        })
        .await
    })
    .await
}

#[tokio::test]
async fn an_engine_that_is_deleted_while_two_keys_are_accepted_goes_with_all_that_it_had()
-> anyhow::Result<()> {
    in_namespace("leavingkey", |namespace| async move {
        let engine = Engine::ready(&namespace, "alice", "alice").await?;
        let asked = json!({ "rotationId": "r-1", "overlap": "1h" });
        engine
            .change(json!({ "deletionPolicy": "Delete", "apiKey": asked }))
            .await?;
        eventually("the overlap to begin", 60, || async {
            let now = status(&engine).await?;
            ensure!(now.phase.as_deref() == Some("Overlapping"), "{now:?}");
            Ok(Some(()))
        })
        .await?;
        engine.delete().await?;
        eventually("nothing to be left", 60, || async {
            let left = state(&namespace).await?;
            ensure!(left == "[]", "{left}");
            Ok(Some(()))
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_request_that_is_there_when_the_key_is_made_is_satisfied() -> anyhow::Result<()> {
    in_namespace("bornkey", |namespace| async move {
        let mut object = userengine_e2e::engine("alice", "alice");
        object["spec"]["suspended"] = json!(true);
        object["spec"]["apiKey"] = json!({ "rotationId": "r-1" });
        let engine = Engine::create(&namespace, object).await?;
        wait_done(&engine, "r-1").await?;
        let key = engine.api_key().await?;
        holds("the key stays", 5, || async {
            Ok(engine.api_key().await? == key)
        })
        .await?;
        let overlap = engine.get().await?.spec.api_key.map(|asked| asked.overlap);
        assert_eq!(overlap.as_deref(), Some("300s"));
        Ok(())
    })
    .await
}
