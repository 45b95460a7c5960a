//! A disk that takes no more writes, during each write, because it is broken or because it is full: the answer says so, nothing
//! is half there, no token is lost, and the engine writes again as soon as the disk does.

use serde_json::{Value, json};

use super::real_engine::RealWorld;
use crate::support::process::{Engine, Files};
use crate::support::provider::STATIC_CREDENTIAL;
use crate::support::request::attempt;
use crate::support::room::Filler;
use crate::support::sql;
use crate::support::volume::Volume;

/// How it fails: every write to a file is an error, or the volume has no room left.
enum Disk {
    Broken(Files),
    Full(Filler),
}

fn disk(world: &RealWorld, engine: &Engine) -> Disk {
    match world.volume.room() {
        Some(room) => Disk::Full(room.filler()),
        None => Disk::Broken(engine.files()),
    }
}

impl Disk {
    fn fail(&self) {
        match self {
            Self::Broken(files) => files.let_none_grow(),
            Self::Full(filler) => filler.fill(),
        }
    }

    fn heal(&self) {
        match self {
            Self::Broken(files) => files.let_grow(),
            Self::Full(filler) => filler.remove(),
        }
    }
}

fn assert_storage_failed(world: &RealWorld, answer: &(u16, Value)) {
    assert_eq!(
        (answer.0, &answer.1["error"]),
        (503, &json!("STORAGE_FAILED")),
        "{}",
        answer.1
    );
    let what = match world.volume.room() {
        Some(_) => "the brain's volume is full: ",
        None => "the brain's volume fails: ",
    };
    let message = answer.1["message"].as_str().unwrap();
    assert!(message.starts_with(what), "{message}");
}

fn start(world: &RealWorld) -> Engine {
    world.setup().with_failing_writes().start()
}

fn connect(world: &RealWorld) {
    let engine = start(world);
    let with_credential =
        json!({ "server_name": "static", "server_config": { "credential": STATIC_CREDENTIAL } });
    for body in [with_credential, json!({ "server_name": "oauth" })] {
        disk(world, &engine).fail();
        assert_storage_failed(world, &engine.ask("POST", "/assets/connect", Some(&body)));
        assert_eq!(engine.list(), Vec::<Value>::new());
        disk(world, &engine).heal();
        assert_eq!(engine.ask("POST", "/assets/connect", Some(&body)).0, 200);
        let ref_id = engine.list()[0]["ref_id"].as_str().unwrap().to_owned();
        assert_eq!(
            engine
                .ask("DELETE", &format!("/assets/connections/{ref_id}"), None)
                .0,
            204
        );
    }
}

fn callback_before_the_code_is_used(world: &RealWorld) {
    let engine = start(world);
    let (_, auth_url) = engine.begin().unwrap();
    let back = world.provider.consent(&auth_url);
    disk(world, &engine).fail();
    assert_eq!(engine.callback(&back), Some(503));
    assert_eq!(world.provider.state().exchanges, 0);
    disk(world, &engine).heal();
    assert_eq!(engine.callback(&back), Some(200), "nothing was used up");
    world.assert_honest(&engine);
}

/// The disk fails when the provider has decided, and before the engine knows.
fn fail_while_the_provider_answers(world: &RealWorld, engine: &Engine) {
    let disk = disk(world, engine);
    world.provider.before_answer(move |_| disk.fail());
}

fn callback_with_tokens_in_hand(world: &RealWorld) {
    let engine = start(world);
    let (_, auth_url) = engine.begin().unwrap();
    fail_while_the_provider_answers(world, &engine);
    let path = format!(
        "/assets/oauth/callback?{}",
        world.provider.consent(&auth_url)
    );
    let page = attempt(engine.address(), "GET", &path, "", None).unwrap();
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(page.body.contains("keeps trying"), "{}", page.body);
    assert_eq!(
        engine.list()[0]["status"],
        "pending_oauth",
        "not used before it is durable"
    );
    disk(world, &engine).heal();
    engine.until_status("connected");
    world.assert_honest(&engine);
    assert_eq!(world.provider.state().exchanges, 1);
}

/// An engine with a connection whose token is refreshed in a few seconds.
fn with_a_short_token(world: &RealWorld) -> (Engine, String) {
    world
        .provider
        .set(|behaviour| behaviour.expires_in = Some(1));
    let engine = start(world);
    let ref_id = engine.authorize(&world.provider);
    (engine, format!("/assets/connections/{ref_id}"))
}

fn is_refreshed(engine: &Engine, path: &str) -> bool {
    engine.ask("GET", path, None).1["last_refresh"].is_string()
}

fn refresh_before_the_provider_is_asked(world: &RealWorld) {
    let (mut engine, path) = with_a_short_token(world);
    disk(world, &engine).fail();
    engine.wait_for("failed to begin a refresh: the provider was not asked");
    assert_eq!(world.provider.state().refreshes, 0);
    disk(world, &engine).heal();
    engine.until("it is refreshed", || is_refreshed(&engine, &path));
    world.assert_honest(&engine);
}

fn refresh_with_tokens_in_hand(world: &RealWorld) {
    let (mut engine, path) = with_a_short_token(world);
    fail_while_the_provider_answers(world, &engine);
    for _ in 0..5 {
        engine.wait_for("failed to store: trying again");
    }
    assert!(
        !is_refreshed(&engine, &path),
        "not used before it is durable"
    );
    world.provider.clear_before_answer();
    disk(world, &engine).heal();
    engine.until("it is stored", || is_refreshed(&engine, &path));
    world.assert_honest(&engine);
    assert_eq!(world.provider.state().refreshes, 1);
}

fn the_end_of_a_grant(world: &RealWorld) {
    let (mut engine, _) = with_a_short_token(world);
    world.provider.end_grant();
    fail_while_the_provider_answers(world, &engine);
    engine.wait_for("failed to store the end of a credential");
    world.provider.clear_before_answer();
    disk(world, &engine).heal();
    engine.until_status("expired");
    world.assert_honest(&engine);
}

fn disconnect(world: &RealWorld) {
    let engine = start(world);
    let ref_id = engine.authorize(&world.provider);
    let path = format!("/assets/connections/{ref_id}");
    disk(world, &engine).fail();
    assert_storage_failed(world, &engine.ask("DELETE", &path, None));
    assert_eq!(engine.list()[0]["status"], "connected");
    assert_eq!(world.provider.state().revoked.len(), 0);
    disk(world, &engine).heal();
    assert_eq!(engine.ask("DELETE", &path, None).0, 204);
    engine.until("both tokens are revoked", || {
        world.provider.state().revoked.len() == 2
    });
}

fn revocation(world: &RealWorld) {
    let mut engine = start(world);
    let ref_id = engine.authorize(&world.provider);
    let failing = disk(world, &engine);
    world.provider.before_revocation(move || failing.fail());
    assert_eq!(
        engine
            .ask("DELETE", &format!("/assets/connections/{ref_id}"), None)
            .0,
        204
    );
    engine.wait_for("failed to read or store what is to be revoked");
    world.provider.before_revocation(|| {});
    disk(world, &engine).heal();
    let query = "SELECT COUNT(*) FROM pending_revocations";
    engine.until("nothing is left to revoke", || {
        sql::number(&world.volume.read_brain(), query) == 0
    });
}

fn a_stop_while_tokens_cannot_be_stored_ends_in_time_and_the_next_start_knows(world: &RealWorld) {
    let (mut engine, _) = with_a_short_token(world);
    fail_while_the_provider_answers(world, &engine);
    engine.wait_for("failed to store: trying again");
    engine.signal(rustix::process::Signal::TERM);
    let ended = engine.wait();
    assert!(ended.stderr.contains("gave up storing"), "{}", ended.stderr);
    world.provider.clear_before_answer();
    if let Some(room) = world.volume.room() {
        room.filler().remove();
    }
    let engine = world.start();
    engine.until_status("expired");
    world.assert_honest(&engine);
    engine.authorize(&world.provider);
    engine.until_status("connected");
}

/// Tools are pinned before the first of them is called.
fn pins(world: &RealWorld) {
    let (engine, call) = connected_by_credential(world);
    disk(world, &engine).fail();
    assert_storage_failed(world, &engine.ask("POST", "/tools/call", Some(&call)));
    disk(world, &engine).heal();
    assert_eq!(engine.ask("POST", "/tools/call", Some(&call)).0, 200);
    let brain = world.volume.read_brain();
    assert_eq!(sql::number(&brain, "SELECT COUNT(*) FROM tool_pins"), 2);
    assert_eq!(sql::number(&brain, CALLS), 1, "the first was not made");
}

/// A write is made only if its row is durable; its row gets its outcome when there is room for it.
fn audit(world: &RealWorld) {
    let (engine, call) = connected_by_credential(world);
    assert_eq!(engine.ask("POST", "/tools/call", Some(&call)).0, 200);
    disk(world, &engine).fail();
    for _ in 0..3 {
        let (status, answer) = engine.ask("POST", "/tools/call", Some(&call));
        assert_eq!(
            (status, &answer["error"]),
            (503, &json!("AUDIT_UNAVAILABLE")),
            "{answer}"
        );
    }
    disk(world, &engine).heal();
    assert_eq!(engine.ask("POST", "/tools/call", Some(&call)).0, 200);
    let finished = format!("{CALLS} AND outcome = 'ok'");
    engine.until("both have their outcome", || {
        sql::number(&world.volume.read_brain(), &finished) == 2
    });
    assert_eq!(sql::number(&world.volume.read_brain(), CALLS), 2);
}

const CALLS: &str = "SELECT COUNT(*) FROM audit WHERE kind = 'tool_call'";

/// An engine that is connected to the server `static`, and a call of its tool that writes.
fn connected_by_credential(world: &RealWorld) -> (Engine, Value) {
    let engine = start(world);
    let body =
        json!({ "server_name": "static", "server_config": { "credential": STATIC_CREDENTIAL } });
    assert_eq!(engine.ask("POST", "/assets/connect", Some(&body)).0, 200);
    let call = json!({ "name": "static.write", "arguments": {} });
    (engine, call)
}

/// Each write on both kinds of disk.
macro_rules! each_write {
    ($($write:ident)*) => {
        mod broken {
            $(#[test] fn $write() { super::$write(&super::RealWorld::new()); })*
        }
        mod full {
            $(#[test] fn $write() { super::$write(&super::RealWorld::on(super::Volume::small())); })*
        }
    };
}

each_write! {
    connect
    callback_before_the_code_is_used
    callback_with_tokens_in_hand
    refresh_before_the_provider_is_asked
    refresh_with_tokens_in_hand
    the_end_of_a_grant
    disconnect
    revocation
    a_stop_while_tokens_cannot_be_stored_ends_in_time_and_the_next_start_knows
    pins
    audit
}
