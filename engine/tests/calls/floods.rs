//! What answers of 64 MiB cost the engine, as a process: no more than its limit for an answer allows, and not for long.

use std::fs;
use std::net::SocketAddr;
use std::thread;

use serde_json::json;

use super::upstream::{Reply, Upstream};
use super::world::entry;
use crate::support::process::{API_KEY, Engine, Setup};
use crate::support::request::attempt;
use crate::support::volume::Volume;

const MIB: u64 = 1024 * 1024;
/// An answer is cut off at 16 MiB. The allocator keeps the room of some in each of its arenas.
const OF_ONE: u64 = 64 * MIB;

/// The most memory that the engine has had so far, in bytes.
fn peak(engine: &Engine) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", engine.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

fn assert_cut_off(engine: SocketAddr) {
    let call = json!({ "name": "notes.read", "arguments": { "text": "hello" } });
    let key = format!("X-Engine-Key: {API_KEY}\r\n");
    let answer = attempt(engine, "POST", "/tools/call", &key, Some(&call)).unwrap();
    assert_eq!(answer.status, 502, "{:.300}", answer.body);
    assert_eq!(answer.json()["details"]["reason"], "protocol");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_64_megabytes_are_cut_off_and_leave_no_memory_behind() {
    let upstream = Upstream::start().await;
    let (volume, catalog) = (Volume::new(), tempfile::tempdir().unwrap());
    let text = entry("notes", &upstream).to_string();
    fs::write(catalog.path().join("notes.json"), text).unwrap();
    let engine = Setup::new(&volume)
        .with("CATALOG_DIR", catalog.path())
        .with("EGRESS_ALLOW", upstream.allowed())
        .start();
    let connect = json!({ "server_name": "notes" });
    let connected = engine.call("POST", "/assets/connect", Some(&connect));
    assert_eq!(connected.unwrap().status, 200);
    upstream.answer_calls(|| Reply::Flood(64 * 1024 * 1024));

    let (address, before) = (engine.address(), peak(&engine));
    assert_cut_off(address);
    let one = peak(&engine) - before;
    assert!(one <= OF_ONE, "one took {} MiB", one / MIB);
    for _ in 0..10 {
        assert_cut_off(address);
    }
    let eleven = peak(&engine) - before;
    assert!(
        eleven <= OF_ONE,
        "one after another took {} MiB",
        eleven / MIB
    );
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || assert_cut_off(address));
        }
    });
    let at_once = peak(&engine) - before;
    assert!(
        at_once <= 8 * OF_ONE,
        "eight at once took {} MiB",
        at_once / MIB
    );
    assert!(engine.stop().status.success());
}
