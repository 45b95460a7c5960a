//! A change of the key begins with a clean stop, and that may come while every token is being refreshed. With refresh tokens
//! that work once, a token that is lost or used twice is the end of its connection.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use userengine_rotation::verdict::Verdict;

use super::real_engine::RealWorld;
use crate::rotation::{job, ring};
use crate::support::process::{API_KEY, DEADLINE, Engine};
use crate::support::request::attempt;
use crate::support::{key, key_text};

/// Each connection has two callers, which wait for their answers, or go away if these take long: then nobody waits for the
/// refresh that they caused.
const CONNECTIONS: [(&str, Manner); 4] = [
    ("mail", Manner::Waits),
    ("calendar", Manner::Waits),
    ("notes", Manner::Leaves),
    ("files", Manner::Leaves),
];
const CALLERS: usize = 2;
/// The provider takes so long at most; each time another time, so that a stop meets some of its answers on their way.
const LONGEST_ANSWER_MS: u64 = 200;
const SHORTEST_PATIENCE: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Waits,
    Leaves,
}

#[test]
fn a_change_of_the_key_under_a_storm_of_refreshes_loses_no_token_and_uses_none_twice() {
    let mut random = Random::from_environment();
    let world = RealWorld::new();
    let mut engine = world.start();
    let connections = CONNECTIONS.map(|(alias, _)| engine.authorize_as(alias, &world.provider));
    for round in 1..=random.rounds {
        let refreshes = world.provider.state().refreshes;
        drain_under_storm(&world, engine, &mut random);
        let before = documents(&world, round, &connections);
        change_key(&world, round);
        let after = documents(&world, round + 1, &connections);
        assert_eq!(before, after, "{random:?}, round {round}");

        engine = start_under(&world, round + 1);
        let refreshes = world.provider.state().refreshes - refreshes;
        world.provider.end_access_tokens();
        for (alias, _) in CONNECTIONS {
            let (status, answer) = engine.ask("POST", "/tools/call", Some(&read(alias)));
            assert_eq!(status, 200, "{random:?}, round {round}: {answer}");
        }
        let state = world.provider.state();
        assert_eq!(state.refused, 0, "{random:?}, round {round}");
        println!("round {round}: {refreshes} refreshes");
    }
    assert!(engine.stop().status.success());
}

/// Everybody calls, and the provider takes the access tokens back again and again, until the engine is gone.
fn drain_under_storm(world: &RealWorld, engine: Engine, random: &mut Random) {
    let (happened, refreshes) = mpsc::channel();
    let provider = &world.provider;
    let (slowed, delays) = (provider.clone(), Mutex::new(random.fork()));
    provider.before_answer(move |_| {
        let delay = Duration::from_millis(delays.lock().unwrap().below(LONGEST_ANSWER_MS));
        slowed.set(|behaviour| behaviour.token_delay = delay);
        let _ = happened.send(());
    });
    // Refreshes until the stop, and between two times that all tokens end: after each, every connection makes one.
    let (until, every) = (4 + random.below(20), 1 + random.below(4));
    let address = engine.address();
    thread::scope(|scope| {
        for (alias, manner) in CONNECTIONS.repeat(CALLERS) {
            scope.spawn(move || call_on(address, alias, manner));
        }
        for number in 0..until {
            if number % every == 0 {
                provider.end_access_tokens();
            }
            let refresh = refreshes.recv_timeout(DEADLINE);
            assert!(refresh.is_ok(), "no call found that its token has ended");
        }
        engine.signal(Signal::TERM);
        provider.end_access_tokens();
    });
    let ended = engine.wait();
    assert!(ended.status.success(), "{}", ended.stderr);
    provider.clear_before_answer();
    provider.set(|behaviour| behaviour.token_delay = Duration::ZERO);
}

/// Calls without a pause, until nobody answers.
fn call_on(address: SocketAddr, alias: &str, manner: Manner) {
    let key = format!("X-Engine-Key: {API_KEY}\r\n");
    let body = read(alias);
    let mut patience = SHORTEST_PATIENCE;
    let mut again = || match manner {
        Manner::Waits => attempt(address, "POST", "/tools/call", &key, Some(&body)).is_some(),
        Manner::Leaves => call_or_leave(address, &key, &body, &mut patience),
    };
    while again() {}
}

/// Goes away when its patience ends, and has more the next time: on a slow machine the engine may not have asked for a token
/// before. `false` if nobody listens any more.
fn call_or_leave(address: SocketAddr, key: &str, body: &Value, patience: &mut Duration) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    stream.set_read_timeout(Some(*patience)).unwrap();
    let (body, head) = (
        body.to_string(),
        "POST /tools/call HTTP/1.1\r\nHost: engine",
    );
    let length = body.len();
    let request = format!(
        "{head}\r\n{key}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let written = stream.write_all(request.as_bytes());
    *patience = match written.and_then(|()| stream.read(&mut [0])) {
        Ok(_) => SHORTEST_PATIENCE,
        Err(_) => *patience * 2,
    };
    true
}

fn read(alias: &str) -> Value {
    json!({ "name": format!("{alias}.read"), "arguments": {} })
}

/// The stored credentials. Their refresh tokens are those that the provider gave last, and no others.
fn documents(world: &RealWorld, number: u8, connections: &[String]) -> Vec<Value> {
    let open = |ref_id: &String| world.credential_under(number, ref_id).unwrap();
    let documents: Vec<Value> = connections.iter().map(open).collect();
    let stored = documents
        .iter()
        .map(|document| document["refresh_token"].as_str().unwrap().to_owned());
    let state = world.provider.state();
    let given = state.refresh_tokens.keys().cloned();
    assert_eq!(
        stored.collect::<BTreeSet<_>>(),
        given.collect::<BTreeSet<_>>()
    );
    documents
}

/// From the key of this number to the next.
fn change_key(world: &RealWorld, number: u8) {
    let (both, new) = (ring(&[number, number + 1]), ring(&[number + 1]));
    let run = |subcommand, ring| {
        let container = job(subcommand, &world.volume, ring)
            .with("ROTATION_ID", format!("round-{number}"))
            .with("ROTATION_FROM", key(number).kid().as_str())
            .with("ROTATION_TO", key(number + 1).kid().as_str());
        container.verdict().0
    };
    let migrated = run("migrate", &both);
    let handed_over = matches!(&migrated, Verdict::Migrated(migrated) if !migrated.recovered);
    assert!(handed_over, "{migrated:?}");
    let certified = run("verify", &new);
    assert!(matches!(certified, Verdict::Certified(_)), "{certified:?}");
}

fn start_under(world: &RealWorld, number: u8) -> Engine {
    let setup = world.setup().with("AD_ENCRYPTION_KEY", key_text(number));
    setup.start()
}

/// The moments of one test: the same again for the same seed, as far as threads allow.
#[derive(Debug)]
struct Random {
    state: u64,
    rounds: u8,
}

impl Random {
    #[expect(
        clippy::disallowed_methods,
        reason = "a campaign says how often, and a person repeats a seed"
    )]
    fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        Self {
            state: number("DRAIN_SEED").unwrap_or(1),
            rounds: number("DRAIN_ROUNDS").map_or(5, |rounds| u8::try_from(rounds).unwrap()),
        }
    }

    /// One more, for another thread.
    fn fork(&mut self) -> Self {
        let state = self.below(u64::MAX);
        Self { state, ..*self }
    }

    /// From 0 up to this. SplitMix64.
    fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
