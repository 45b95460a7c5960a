//! Many calls at once, and servers that hang beside servers that do not.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout};

use super::upstream::{Reply, SOON, Upstream};
use super::world::World;

fn count(outcomes: &[(u16, String, String)], code: &str) -> usize {
    outcomes
        .iter()
        .filter(|(_, found, _)| found == code)
        .count()
}

#[tokio::test]
async fn a_connection_takes_sixteen_calls_at_once_and_refuses_the_next() {
    let upstream = Upstream::start().await;
    let world = World::connected(&[("notes", &upstream)], &[("CALL_TIMEOUT_SECONDS", "2")]).await;
    world.tools().await;
    upstream.answer_calls(|| Reply::Silence);
    let outcomes = join_all((0..20).map(|_| world.outcome("notes.read"))).await;
    assert_eq!(count(&outcomes, "RATE_LIMITED"), 4, "{outcomes:?}");
    assert_eq!(upstream.count("tools/call"), 16);
    let limited = outcomes
        .iter()
        .find(|(_, code, _)| code == "RATE_LIMITED")
        .unwrap();
    assert_eq!(limited.0, 429);
}

#[tokio::test]
async fn an_engine_takes_sixty_four_calls_at_once_over_all_connections() {
    let upstreams = join_all((0..5).map(|_| Upstream::start())).await;
    let names: Vec<String> = (0..5).map(|n| format!("s{n}")).collect();
    let servers: Vec<(&str, &Upstream)> =
        names.iter().map(String::as_str).zip(&upstreams).collect();
    let world = World::connected(&servers, &[("CALL_TIMEOUT_SECONDS", "2")]).await;
    world.tools().await;
    for upstream in &upstreams {
        upstream.answer_calls(|| Reply::Silence);
    }
    let tools: Vec<String> = (0..70).map(|n| format!("s{}.read", n % 5)).collect();
    let outcomes = join_all(tools.iter().map(|tool| world.outcome(tool))).await;
    assert_eq!(count(&outcomes, "RATE_LIMITED"), 6, "{outcomes:?}");
    let sent: usize = upstreams
        .iter()
        .map(|upstream| upstream.count("tools/call"))
        .sum();
    assert_eq!(sent, 64);
}

#[tokio::test]
async fn the_limits_can_be_set() {
    let upstream = Upstream::start().await;
    let more = [("CALLS_PER_CONNECTION", "2"), ("CALL_TIMEOUT_SECONDS", "1")];
    let world = World::connected(&[("notes", &upstream)], &more).await;
    world.tools().await;
    upstream.answer_calls(|| Reply::Silence);
    let outcomes = join_all((0..5).map(|_| world.outcome("notes.read"))).await;
    assert_eq!(count(&outcomes, "RATE_LIMITED"), 3, "{outcomes:?}");
}

/// Four servers that hang could take all places of an engine; the last ones are kept for the others.
#[tokio::test]
async fn servers_answer_as_ever_while_others_hang() {
    for hung in [1, 5, 9] {
        let upstreams = join_all((0..10).map(|_| Upstream::start())).await;
        let names: Vec<String> = (0..10).map(|n| format!("s{n}")).collect();
        let servers: Vec<(&str, &Upstream)> =
            names.iter().map(String::as_str).zip(&upstreams).collect();
        let world = World::connected(&servers, &[]).await;
        world.tools().await;
        for upstream in &upstreams[..hung] {
            upstream.answer_calls(|| Reply::Silence);
        }
        let tools: Vec<String> = (0..hung * 16)
            .map(|n| format!("s{}.read", n % hung))
            .collect();
        let hanging = join_all(tools.iter().map(|tool| world.call(tool)));
        let answering = async {
            for upstream in &upstreams[..hung] {
                upstream.wait_for("tools/call", 2).await;
            }
            let began = Instant::now();
            for name in &names[hung..] {
                for _ in 0..20 {
                    assert_eq!(world.call(&format!("{name}.read")).await.status(), 200);
                }
            }
            // The list does not wait for them either.
            assert_eq!(world.names().await.len(), 20);
            began.elapsed()
        };
        tokio::select! {
            _ = hanging => panic!("the hung servers answered"),
            took = timeout(SOON, answering) => {
                let each = took.unwrap() / u32::try_from((10 - hung) * 20).unwrap();
                assert!(each < Duration::from_millis(100), "{hung} hung: {each:?} a call");
            }
        }
    }
}
