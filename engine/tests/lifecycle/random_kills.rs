//! SIGKILL at any moment, while tools are called and tokens are refreshed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Standalone, over_http};
use crate::support::eventually;
use crate::support::peers::{Echo, Notes};
use crate::support::process::{API_KEY, Engine};
use crate::support::request::attempt;
use crate::support::sql;

/// Kills of one run. `make faults` makes many runs.
const KILLS: u32 = 5;

/// Calls without a pause, in three threads, and kills the engine after a random number of answers. Gives how many writes were
/// answered.
fn kill_while_calling(engine: &Engine) -> i64 {
    let mut random = [0];
    getrandom::fill(&mut random).unwrap();
    let (answers, enough) = (AtomicU32::new(0), u32::from(random[0]) * 2);
    let address = engine.address();
    let process = Pid::from_raw(engine.id().try_into().unwrap()).unwrap();
    let call = |body: &Value| {
        let key = format!("X-Engine-Key: {API_KEY}\r\n");
        let mut done = 0;
        // The first call without an answer is the one that met the kill.
        while let Some(answer) = attempt(address, "POST", "/tools/call", &key, Some(body)) {
            done += i64::from(answer.status == 200);
            if answers.fetch_add(1, Ordering::Relaxed) == enough {
                kill_process(process, Signal::KILL).unwrap();
            }
        }
        done
    };
    let read = json!({ "name": "slack.read_notes", "arguments": {} });
    let write = json!({ "name": "echo.write", "arguments": { "text": "w" } });
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| call(&read));
        }
        call(&write)
    })
}

#[test]
fn no_kill_breaks_a_connection_unnoticed() {
    // Tokens so short that a refresh is under way much of the time.
    let (echo, notes) = (Echo::start("good-token"), Notes::start(2));
    let mut engine = Standalone::start(
        &[&echo.origin, &notes.origin],
        &[
            over_http("echo", "streamable_http", &echo.url, "static"),
            over_http("slack", "streamable_http", &notes.url, "oauth"),
        ],
    );
    engine.connect(
        &json!({ "server_name": "echo", "server_config": { "credential": "good-token" } }),
    );
    let ref_id = engine.consent();
    let (mut lost, mut written) = (0, 0);
    for kill in 0..KILLS {
        written += kill_while_calling(&engine.engine);
        engine = engine.crash();
        let said = engine.call("echo.echo", &json!({ "text": kill.to_string() }));
        assert_eq!(said["content"][0]["text"], kill.to_string());

        // A refresh that was cut either counts or is known to be lost; nothing in between lasts.
        let mut answer = (0, Value::Null);
        eventually(
            "the call is answered, or its connection has expired",
            || {
                answer = engine.try_call("slack.read_notes", &json!({}));
                answer.0 == 200 || answer.1["error"] == "MCP_TOKEN_EXPIRED"
            },
        );
        if answer.0 != 200 {
            lost += 1;
            assert_eq!(
                engine.connection(&ref_id)["status"],
                "expired",
                "{}",
                answer.1
            );
            assert_eq!(engine.consent(), ref_id, "the way back");
        }
        engine.call("slack.read_notes", &json!({}));
    }
    assert!(
        notes.count("refused") <= lost,
        "a spent token was used without need"
    );
    engine.engine.kill();
    let query = "SELECT COUNT(*) FROM audit WHERE tool = 'echo.write'";
    let kept = sql::number(&engine.volume.brain(), query);
    assert!(written > 0 && kept >= written, "{kept} of {written}");
    println!(
        "{KILLS} kills, {written} answered writes, all kept, {} refreshes, {lost} of them lost and noticed",
        notes.count("refreshed")
    );
}
