//! A disk that takes no more writes, during each write: the answer says so, nothing is half there, and no token is lost.

use serde_json::{Value, json};

use super::real_engine::RealWorld;
use crate::support::process::Engine;
use crate::support::provider::STATIC_CREDENTIAL;
use crate::support::request::attempt;
use crate::support::sql;

fn assert_storage_failed(answer: &(u16, Value)) {
    assert_eq!(
        (answer.0, &answer.1["error"]),
        (503, &json!("STORAGE_FAILED")),
        "{}",
        answer.1
    );
    let message = answer.1["message"].as_str().unwrap();
    assert!(message.starts_with("the brain's volume"), "{message}");
}

fn start(world: &RealWorld) -> Engine {
    world.setup().with_failing_writes().start()
}

#[test]
fn connect() {
    let world = RealWorld::new();
    let engine = start(&world);
    let with_credential =
        json!({ "server_name": "static", "server_config": { "credential": STATIC_CREDENTIAL } });
    for body in [with_credential, json!({ "server_name": "oauth" })] {
        engine.files().let_none_grow();
        assert_storage_failed(&engine.ask("POST", "/assets/connect", Some(&body)));
        assert_eq!(engine.list(), Vec::<Value>::new());
        engine.files().let_grow();
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

#[test]
fn callback_before_the_code_is_used() {
    let world = RealWorld::new();
    let engine = start(&world);
    let (_, auth_url) = engine.begin().unwrap();
    let back = world.provider.consent(&auth_url);
    engine.files().let_none_grow();
    assert_eq!(engine.callback(&back), Some(503));
    assert_eq!(world.provider.state().exchanges, 0);
    engine.files().let_grow();
    assert_eq!(engine.callback(&back), Some(200), "nothing was used up");
    world.assert_honest(&engine);
}

/// The disk fails when the provider has decided, and before the engine knows.
fn fail_while_the_provider_answers(world: &RealWorld, engine: &Engine) {
    let files = engine.files();
    world.provider.before_answer(move |_| files.let_none_grow());
}

#[test]
fn callback_with_tokens_in_hand() {
    let world = RealWorld::new();
    let engine = start(&world);
    let (_, auth_url) = engine.begin().unwrap();
    fail_while_the_provider_answers(&world, &engine);
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
    engine.files().let_grow();
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

#[test]
fn refresh_before_the_provider_is_asked() {
    let world = RealWorld::new();
    let (mut engine, path) = with_a_short_token(&world);
    engine.files().let_none_grow();
    engine.wait_for("failed to begin a refresh: the provider was not asked");
    assert_eq!(world.provider.state().refreshes, 0);
    engine.files().let_grow();
    engine.until("it is refreshed", || is_refreshed(&engine, &path));
    world.assert_honest(&engine);
}

#[test]
fn refresh_with_tokens_in_hand() {
    let world = RealWorld::new();
    let (mut engine, path) = with_a_short_token(&world);
    fail_while_the_provider_answers(&world, &engine);
    for _ in 0..5 {
        engine.wait_for("failed to store: trying again");
    }
    assert!(
        !is_refreshed(&engine, &path),
        "not used before it is durable"
    );
    world.provider.clear_before_answer();
    engine.files().let_grow();
    engine.until("it is stored", || is_refreshed(&engine, &path));
    world.assert_honest(&engine);
    assert_eq!(world.provider.state().refreshes, 1);
}

#[test]
fn the_end_of_a_grant() {
    let world = RealWorld::new();
    let (mut engine, _) = with_a_short_token(&world);
    world.provider.end_grant();
    fail_while_the_provider_answers(&world, &engine);
    engine.wait_for("failed to store the end of a credential");
    world.provider.clear_before_answer();
    engine.files().let_grow();
    engine.until_status("expired");
    world.assert_honest(&engine);
}

#[test]
fn disconnect() {
    let world = RealWorld::new();
    let engine = start(&world);
    let ref_id = engine.authorize(&world.provider);
    let path = format!("/assets/connections/{ref_id}");
    engine.files().let_none_grow();
    assert_storage_failed(&engine.ask("DELETE", &path, None));
    assert_eq!(engine.list()[0]["status"], "connected");
    assert_eq!(world.provider.state().revoked.len(), 0);
    engine.files().let_grow();
    assert_eq!(engine.ask("DELETE", &path, None).0, 204);
    engine.until("both tokens are revoked", || {
        world.provider.state().revoked.len() == 2
    });
}

#[test]
fn revocation() {
    let world = RealWorld::new();
    let mut engine = start(&world);
    let ref_id = engine.authorize(&world.provider);
    let files = engine.files();
    world
        .provider
        .before_revocation(move || files.let_none_grow());
    assert_eq!(
        engine
            .ask("DELETE", &format!("/assets/connections/{ref_id}"), None)
            .0,
        204
    );
    engine.wait_for("failed to read or store what is to be revoked");
    world.provider.before_revocation(|| {});
    engine.files().let_grow();
    let brain = world.volume.brain();
    engine.until("nothing is left to revoke", || {
        sql::number(&brain, "SELECT COUNT(*) FROM pending_revocations") == 0
    });
}

#[test]
fn a_stop_while_tokens_cannot_be_stored_ends_in_time_and_the_next_start_knows() {
    let world = RealWorld::new();
    let (mut engine, _) = with_a_short_token(&world);
    fail_while_the_provider_answers(&world, &engine);
    engine.wait_for("failed to store: trying again");
    engine.signal(rustix::process::Signal::TERM);
    let ended = engine.wait();
    assert!(ended.stderr.contains("gave up storing"), "{}", ended.stderr);
    world.provider.clear_before_answer();
    let engine = world.start();
    engine.until_status("expired");
    world.assert_honest(&engine);
    engine.authorize(&world.provider);
    engine.until_status("connected");
}
