//! Servers that fail, and how the engine leaves them alone and comes back.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::upstream::{Reply, Upstream};
use super::world::World;

const QUICK: [(&str, &str); 2] = [
    ("CALL_TIMEOUT_SECONDS", "1"),
    ("BREAKER_COOL_DOWN_SECONDS", "1"),
];

#[tokio::test]
async fn five_failures_open_the_breaker_and_then_the_server_hears_no_more_calls() {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &[]).await;
    world.tools().await;
    upstream.answer_calls(|| Reply::Status(500, Vec::new()));
    for _ in 0..5 {
        assert_eq!(world.outcome("notes.read").await.2, "unreachable");
    }
    let answer = world.call("notes.read").await;
    assert_eq!(
        (
            answer.status().as_u16(),
            &answer.body()["details"]["reason"]
        ),
        (502, &json!("circuit_open"))
    );
    let wait = answer.body()["details"]["retry_after"].as_u64().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(upstream.count("tools/call"), 5);
    let breaker = &world.connection("notes").await["breaker"];
    assert_eq!(
        (&breaker["state"], &breaker["failures"]),
        (&json!("open"), &json!(5))
    );
    assert!(breaker["opened_at"].is_string(), "{breaker}");
    // Its tools are known and stay listed.
    assert_eq!(world.names().await, ["notes.read", "notes.write"]);
    let metrics =
        crate::support::in_process::send(world.engine.internal(), "GET", "/metrics", &[]).await;
    assert!(
        metrics
            .body()
            .contains(r#"engine_breaker_state{alias="notes"} 2"#),
        "{}",
        metrics.body()
    );
    assert!(
        metrics
            .body()
            .contains(r#"engine_tool_calls_total{outcome="circuit_open",server="notes"} 1"#)
    );
}

#[tokio::test]
async fn a_server_that_was_away_is_used_again_within_about_a_second() {
    let mut upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &[]).await;
    assert_eq!(world.call("notes.read").await.status(), 200);
    upstream.go_away().await;
    let mut reasons = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        reasons.push(world.outcome("notes.read").await.2);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(&reasons[..5], ["unreachable"; 5]);
    assert!(
        reasons[5..].iter().all(|reason| reason == "circuit_open"),
        "{reasons:?}"
    );
    upstream.come_back().await;
    let back = Instant::now();
    world
        .until("a call works", async |world| {
            world.call("notes.read").await.status() == 200
        })
        .await;
    // A second, and what a busy machine adds.
    assert!(
        back.elapsed() < Duration::from_millis(2500),
        "{:?}",
        back.elapsed()
    );
    assert_eq!(
        world.connection("notes").await["breaker"]["state"],
        "closed"
    );
}

#[tokio::test]
async fn a_server_that_hangs_is_probed_once_after_its_rest_and_never_with_a_call() {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &QUICK).await;
    world.tools().await;
    upstream.behave(|_| Reply::Silence);
    let calls = join_all((0..8).map(|_| world.outcome("notes.write"))).await;
    assert!(
        calls.iter().all(|(_, _, reason)| reason == "timeout"),
        "{calls:?}"
    );
    let sent = upstream.count("tools/call");
    let pings = upstream.count("ping");
    upstream.wait_for("ping", pings + 1).await;
    world.breaker_is("notes", "half_open").await;
    // Fifty callers change nothing: one probe is under way, and no call goes out.
    let refused = join_all((0..50).map(|_| world.outcome("notes.write"))).await;
    assert!(
        refused
            .iter()
            .all(|(_, _, reason)| reason == "circuit_open"),
        "{refused:?}"
    );
    assert_eq!(
        (upstream.count("ping"), upstream.count("tools/call")),
        (pings + 1, sent)
    );
    upstream.behave(|_| Reply::Usual);
    world.breaker_is("notes", "closed").await;
    assert_eq!(world.call("notes.write").await.status(), 200);
}

#[tokio::test]
async fn a_connection_that_is_made_anew_forgets_its_breaker() {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &[]).await;
    upstream.answer_calls(|| Reply::Status(500, Vec::new()));
    for _ in 0..6 {
        world.call("notes.read").await;
    }
    assert_eq!(world.connection("notes").await["breaker"]["state"], "open");
    upstream.behave(|_| Reply::Usual);
    let again = json!({ "server_name": "notes", "reconnect": true });
    assert_eq!(world.post("/assets/connect", again).await.status(), 200);
    assert_eq!(
        world.connection("notes").await["breaker"]["state"],
        "closed"
    );
    assert_eq!(world.call("notes.read").await.status(), 200);
}

#[tokio::test]
async fn one_server_that_fails_opens_no_other_breaker() {
    let (bad, good) = (Upstream::start().await, Upstream::start().await);
    let world = World::connected(&[("bad", &bad), ("good", &good)], &[]).await;
    bad.answer_calls(|| Reply::Status(503, Vec::new()));
    for _ in 0..10 {
        assert_ne!(world.call("bad.read").await.status(), 200);
        assert_eq!(world.call("good.read").await.status(), 200);
    }
    assert_eq!(world.connection("good").await["breaker"]["state"], "closed");
}
