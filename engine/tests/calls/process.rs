//! The real process: what it leaves behind when it is killed, and who may hold up its stop.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio::time::Instant;

use super::upstream::{Reply, Upstream};
use super::world::{entry, write_entry};
use crate::support::process::{API_KEY, DEADLINE, Engine, Setup};
use crate::support::shell::Shell;
use crate::support::sql;
use crate::support::volume::Volume;

const CONNECT: &str = r#"curl -sS "$ENGINE_URL/assets/connect" -H "X-Engine-Key: $KEY" -H "Content-Type: application/json" -d '{"server_name": "notes"}'"#;
const WRITE: &str = r#"curl -sS "$ENGINE_URL/tools/call" -H "X-Engine-Key: $KEY" -H "Content-Type: application/json" -d '{"name": "notes.write", "arguments": {"text": "a"}}'"#;

fn connected(volume: &Volume, upstream: &Upstream) -> (Engine, TempDir) {
    let catalog = tempfile::tempdir().unwrap();
    write_entry(&catalog, &entry("notes", upstream));
    let engine = block_in_place(|| {
        let setup = Setup::new(volume)
            .with("CATALOG_DIR", catalog.path())
            .with("EGRESS_ALLOW", upstream.allowed());
        let engine = setup.start();
        let (status, body) = Shell::of(&engine).answer(CONNECT);
        assert_eq!(
            (status, &body["status"]),
            (200, &json!("connected")),
            "{body}"
        );
        engine
    });
    (engine, catalog)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_write_that_was_begun_or_answered() {
    let (volume, upstream) = (Volume::new(), Upstream::start().await);
    let (engine, _catalog) = connected(&volume, &upstream);
    let shell = Shell::of(&engine);
    block_in_place(|| assert_eq!(shell.answer(WRITE).0, 200));
    upstream.answer_calls(|| Reply::Silence);
    let hanging = tokio::task::spawn_blocking(move || shell.output(WRITE));
    upstream.wait_for("tools/call", 2).await;
    block_in_place(|| engine.kill());
    assert!(!hanging.await.unwrap().status.success());
    let count = |outcome: &str| {
        let query =
            format!("SELECT COUNT(*) FROM audit WHERE tool = 'notes.write' AND outcome {outcome}");
        block_in_place(|| sql::number(&volume.brain(), &query))
    };
    // Of the first the outcome may not have been stored yet; that it was made is.
    assert_eq!(count("IN ('ok', 'started')"), 2);
    assert!(count("= 'started'") >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_to_events_does_not_hold_up_the_stop() {
    let (volume, upstream) = (Volume::new(), Upstream::start().await);
    let (engine, _catalog) = connected(&volume, &upstream);
    block_in_place(|| {
        let mut listening = TcpStream::connect(engine.address()).unwrap();
        listening.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(
            listening,
            "GET /events HTTP/1.1\r\nHost: e\r\nX-Engine-Key: {API_KEY}\r\n\r\n"
        )
        .unwrap();
        let mut head = [0; 12];
        listening.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        let began = Instant::now();
        let ended = engine.stop();
        assert!(ended.status.success(), "{}", ended.stderr);
        // Well below the grace period of 25 s.
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
        let mut rest = String::new();
        listening.read_to_string(&mut rest).unwrap();
        assert!(
            rest.ends_with("0\r\n\r\n"),
            "the stream ends properly: {rest:?}"
        );
    });
}
