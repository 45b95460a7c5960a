//! What holds after every case: nothing was lost, nothing is left over, and no secret was seen.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::asking::Called;
use super::case::{Outcome, Recovery};
use super::time::{A_MOMENT, SOON};
use super::world::World;
use crate::support::faulty::Operation;

/// Longer than an unused connection is kept: 90 s, which are looked at every 90 s.
const UNUSED: Duration = Duration::from_secs(200);

/// Looks at everything, and takes the world apart.
pub async fn look(world: World, operation: Operation, outcome: &Outcome) {
    if matches!(operation, Operation::Discovery | Operation::Registration) {
        // Only begun so far.
        world.authorize().await;
    }
    let world = all_is_there_after_a_restart(world).await;
    all_calls_are_in_the_audit(&world, operation).await;
    nothing_was_done_twice(&world, operation, outcome);
    disconnect(&world).await;
    no_secret_was_seen(&world);
    nothing_is_left(world).await;
}

async fn all_is_there_after_a_restart(world: World) -> World {
    let before = world.connection().await;
    let world = world.restarted().await;
    let after = world.connection().await;
    for member in ["ref_id", "alias", "status", "scopes", "expires_at"] {
        assert_eq!(before[member], after[member], "{member}");
    }
    assert_eq!(after["status"], "connected");
    for tool in ["echo", "write"] {
        let seen = world.call(tool).await;
        assert!(seen.is_ok(), "after a restart: {seen:?}");
    }
    world
}

/// Each call that was made has one row, with its outcome; what never was sent has none.
async fn all_calls_are_in_the_audit(world: &World, operation: Operation) {
    // A call that fails before its tool is known has no row, and one that is refused for its token may have one.
    let made = |called: &Called| {
        let known = matches!(operation, Operation::ToolsCall | Operation::Initialize);
        called.seen.is_ok() || (known && !called.seen.was_held())
    };
    let is_meant = |outcome: &str| operation != Operation::Refresh || outcome == "ok";
    let outcome = |called: &Called| match called.seen.code.as_str() {
        "" => "ok".to_owned(),
        code => code.to_owned(),
    };
    let calls = world.calls.lock().unwrap().clone();
    let calls = calls.iter().filter(|called| made(called));
    let mut expected: Vec<_> = calls
        .map(|called| (format!("notes.{}", called.tool), outcome(called)))
        .collect();
    expected.sort();
    world
        .soon("each call has its row", async |world| {
            rows(world, is_meant).await == expected
        })
        .await;
}

async fn rows(world: &World, is_meant: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let page = world.get("/audit?limit=500").await;
    let rows = page["rows"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let calls = rows.iter().filter(|row| row["kind"] == "tool_call");
    let mut rows: Vec<_> = calls
        .map(|row| (text(&row["tool"]), text(&row["outcome"])))
        .filter(|(_, outcome)| is_meant(outcome))
        .collect();
    rows.sort();
    rows
}

fn nothing_was_done_twice(world: &World, operation: Operation, outcome: &Outcome) {
    let calls = world.calls.lock().unwrap();
    let written = |called: &&Called| called.tool == "write" && called.seen.is_ok();
    let answered = calls.iter().filter(written).count();
    let in_the_fault = if outcome.first.is_ok() && operation == Operation::ToolsCall {
        0 // Those were answered, and are counted already.
    } else {
        outcome.ran
    };
    let ran = world.server.written().len();
    assert_eq!(ran, answered + in_the_fault, "the tool ran");
    if operation != Operation::Refresh || outcome.recovery != Recovery::ByConnect {
        assert_eq!(world.server.reused(), 0, "a spent refresh token came again");
    }
}

/// Both tokens are given back.
async fn disconnect(world: &World) {
    let before = world.server.revoked();
    world.disconnect().await;
    world.engine.app.assets.run_due().await;
    world
        .soon("both tokens are revoked", async |world| {
            world.server.revoked() >= before + 2
        })
        .await;
    assert_eq!(world.connection().await, Value::Null);
}

fn no_secret_was_seen(world: &World) {
    let (seen, secrets) = (world.seen(), world.server.secrets());
    assert!(secrets.len() >= 3, "a code and two tokens at least");
    let places: Vec<_> = seen.iter().map(|(place, _)| place.as_str()).collect();
    assert!(places.contains(&"brain.sqlite"), "{places:?}");
    for (place, text) in &seen {
        let may_be_empty = place.ends_with("lock") || place.ends_with("wal");
        assert!(may_be_empty || !text.is_empty(), "nothing in {place}");
        for secret in &secrets {
            if let Some(at) = text.find(secret) {
                let around: String = text[..at].chars().rev().take(300).collect();
                let around: String = around.chars().rev().collect();
                panic!("{place} shows {secret} after: {around}");
            }
        }
    }
}

/// No connection and no task outlives what it was for.
async fn nothing_is_left(world: World) {
    world.leap(UNUSED).await;
    world
        .soon("the server has no connections", async |world| {
            world.server.connections() == 0
        })
        .await;
    drop(world);
    let began = Instant::now();
    loop {
        let left = Handle::current().metrics().num_alive_tasks();
        if left == 0 {
            return;
        }
        assert!(began.elapsed() < SOON, "{left} tasks are left");
        sleep(A_MOMENT).await;
    }
}
