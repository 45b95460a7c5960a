//! Secrets are nowhere but in requests: not in the log at its loudest, the brain's files, answers, pages, metrics, events.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::real_engine::RealWorld;
use crate::support::process::{API_KEY, Engine};
use crate::support::provider::STATIC_CREDENTIAL;
use crate::support::provider::browser::asked;

/// Everything that somebody may see.
#[derive(Default)]
struct Seen {
    answers: String,
    /// What may be in answers, and nowhere else.
    states: Vec<String>,
}

impl Seen {
    fn ask(&mut self, engine: &Engine, method: &str, path: &str, body: Option<&serde_json::Value>) {
        let answer = engine.call(method, path, body).unwrap();
        writeln!(self.answers, "{}\n{}", answer.head, answer.body).unwrap();
    }

    /// Begins an authorization, remembers its state.
    fn begin(&mut self, engine: &Engine) -> (String, String) {
        let (ref_id, auth_url) = engine.begin().unwrap();
        self.states.push(asked(&auth_url)["state"].clone());
        (ref_id, auth_url)
    }

    fn callback(&mut self, engine: &Engine, query: &str) {
        let path = format!("/assets/oauth/callback?{query}");
        let page =
            crate::support::request::attempt(engine.address(), "GET", &path, "", None).unwrap();
        writeln!(self.answers, "{}\n{}", page.head, page.body).unwrap();
    }
}

/// Reads the engine's events until it ends.
fn listen(engine: &Engine) -> Arc<Mutex<String>> {
    let seen = Arc::<Mutex<String>>::default();
    let mut stream = TcpStream::connect(engine.address()).unwrap();
    write!(
        stream,
        "GET /events HTTP/1.1\r\nHost: engine\r\nX-Engine-Key: {API_KEY}\r\n\r\n"
    )
    .unwrap();
    let into = seen.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            into.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    seen
}

fn assert_nowhere(what: &str, text: &str, seen: &Seen, verifiers: &[String]) {
    let secrets = seen.states.iter().chain(verifiers).map(String::as_str);
    for secret in secrets.chain(["telltale"]) {
        if let Some(at) = text.find(secret) {
            let around: String = text
                .chars()
                .skip(text[..at].chars().count().saturating_sub(200))
                .take(400)
                .collect();
            panic!("{what} holds {secret}: {around}");
        }
    }
}

#[test]
fn a_whole_life_leaves_no_trace_of_a_secret() {
    for like_slack in [false, true] {
        let world = RealWorld::new();
        world.provider.set(|behaviour| {
            behaviour.like_slack = like_slack;
            behaviour.expires_in = Some(1);
        });
        let engine = world.setup().with("ENGINE_LOG_LEVEL", "trace").start();
        let events = listen(&engine);
        let mut seen = Seen::default();
        let connect = |credential: &str| json!({ "server_name": "static", "server_config": { "credential": credential } });
        seen.ask(
            &engine,
            "POST",
            "/assets/connect",
            Some(&connect("telltale-wrong")),
        );
        seen.ask(
            &engine,
            "POST",
            "/assets/connect",
            Some(&connect("telltale\u{e4}")),
        );
        seen.ask(
            &engine,
            "POST",
            "/assets/connect",
            Some(&json!({ "server_name": "static", "server_config": "telltale" })),
        );
        seen.ask(
            &engine,
            "POST",
            "/assets/connect",
            Some(&connect(STATIC_CREDENTIAL)),
        );

        let (_, auth_url) = seen.begin(&engine);
        seen.callback(&engine, &world.provider.deny(&auth_url));
        // A provider that quotes what it was sent.
        world.provider.set(|behaviour| behaviour.quotes = true);
        let (_, auth_url) = seen.begin(&engine);
        seen.callback(&engine, &world.provider.consent(&auth_url));
        world.provider.set(|behaviour| behaviour.quotes = false);
        let (ref_id, auth_url) = seen.begin(&engine);
        let back = world.provider.consent(&auth_url);
        seen.callback(&engine, &back);
        seen.callback(&engine, &back);
        let path = format!("/assets/connections/{ref_id}");
        engine.until("it is refreshed", || {
            engine.ask("GET", &path, None).1["last_refresh"].is_string()
        });
        for path in [
            "/assets/connections",
            path.as_str(),
            "/assets/servers",
            "/health",
            "/openapi.json",
        ] {
            seen.ask(&engine, "GET", path, None);
        }
        let metrics = engine.internal("/metrics").body + &engine.internal("/keys").body;
        let files = |suffix: &str| {
            let bytes =
                fs::read(world.volume.file(&format!("brain.sqlite{suffix}"))).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let brain = files("") + &files("-wal");
        seen.ask(&engine, "DELETE", &path, None);
        engine.until("it is revoked", || {
            world.provider.state().revoked.len() == 2
        });
        let log = engine.stop().stderr;
        let brain = brain + &files("");

        assert!(
            log.contains("connected") && log.contains("SELECT"),
            "the log is at its loudest"
        );
        assert!(brain.contains(&ref_id) && metrics.contains("engine_token_refreshes_total"));
        let verifiers = world.provider.state().verifiers.clone();
        assert!(verifiers.len() >= 2 && seen.states.len() == 3);
        for (what, text) in [
            ("the log", &log),
            ("the brain", &brain),
            ("the metrics", &metrics),
            ("the events", &*events.lock().unwrap()),
        ] {
            assert_nowhere(what, text, &seen, &verifiers);
        }
        let without_states = Seen::default();
        assert_nowhere("an answer", &seen.answers, &without_states, &verifiers);
    }
}
