//! SIGKILL at each named step of connect, callback, refresh, disconnect and revocation: what the next start finds is whole,
//! no token is lost unnoticed, and there is a way back.

use serde_json::json;

use super::real_engine::RealWorld;
use crate::support::provider::STATIC_CREDENTIAL;
use crate::support::sql;

/// Waits for the end that the failpoint made.
fn assert_killed(engine: crate::support::process::Engine, step: &str) {
    use std::os::unix::process::ExitStatusExt;
    let ended = engine.wait();
    assert_eq!(ended.status.signal(), Some(9), "{step}: {}", ended.stderr);
    assert!(ended.stderr.contains(step), "{}", ended.stderr);
}

#[test]
fn connect_with_a_static_credential() {
    for (step, there) in [("connect.verified", 0), ("connect.stored", 1)] {
        let world = RealWorld::new();
        let body = json!({ "server_name": "static", "server_config": { "credential": STATIC_CREDENTIAL }, "reconnect": true });
        let engine = world.start_to_die_at(step);
        assert!(
            engine
                .call("POST", "/assets/connect", Some(&body))
                .is_none()
        );
        assert_killed(engine, step);

        let engine = world.start();
        world.assert_honest(&engine);
        let before = engine.list();
        assert_eq!(before.len(), there, "{step}");
        let (status, answer) = engine.ask("POST", "/assets/connect", Some(&body));
        assert_eq!(
            (status, &answer["status"]),
            (200, &json!("connected")),
            "{step}: {answer}"
        );
        if let [connection] = &before[..] {
            assert_eq!(answer["ref_id"], connection["ref_id"]);
        }
        assert!(engine.stop().status.success());
    }
}

#[test]
fn connect_by_oauth() {
    for (step, registrations, there) in [
        ("connect.registered", 2, 0),
        ("connect.client_stored", 1, 0),
        ("connect.flow_stored", 1, 1),
    ] {
        let world = RealWorld::new();
        let engine = world.start_to_die_at(step);
        assert_eq!(engine.begin(), None);
        assert_killed(engine, step);

        let engine = world.start();
        world.assert_honest(&engine);
        assert_eq!(engine.list().len(), there, "{step}");
        engine.authorize(&world.provider);
        assert_eq!(engine.list().len(), 1);
        assert_eq!(
            world.provider.state().registrations,
            registrations,
            "{step}"
        );
        world.assert_honest(&engine);
    }
}

#[test]
fn callback() {
    for (step, status) in [
        ("callback.taken", "pending_oauth"),
        ("callback.exchanged", "pending_oauth"),
        ("callback.stored", "connected"),
    ] {
        let world = RealWorld::new();
        let engine = world.start_to_die_at(step);
        let (ref_id, auth_url) = engine.begin().unwrap();
        let back = world.provider.consent(&auth_url);
        assert_eq!(engine.callback(&back), None);
        assert_killed(engine, step);

        let engine = world.start();
        engine.until_status(status);
        world.assert_honest(&engine);
        assert_eq!(
            engine.callback(&back),
            Some(400),
            "{step}: a code works once"
        );
        assert_eq!(
            engine.authorize(&world.provider),
            ref_id,
            "{step}: the way back"
        );
        engine.until_status("connected");
        world.assert_honest(&engine);
    }
}

#[test]
fn refresh() {
    for (step, status, refreshes) in [
        // The provider was never asked: the next start asks.
        ("refresh.begun", "connected", 1),
        // The new tokens are lost, and the old one is spent: the connection says so.
        ("refresh.answered", "expired", 2),
        ("refresh.stored", "connected", 1),
    ] {
        let world = RealWorld::new();
        let engine = world.start();
        let ref_id = engine.authorize(&world.provider);
        assert!(engine.stop().status.success());
        world.age_tokens();
        assert_killed(world.setup().with("FAILPOINT", step).spawn(), step);

        let engine = world.start();
        let brain = world.volume.brain();
        engine.until("the refresh came to an end", || {
            sql::number(&brain, "SELECT COUNT(*) FROM refresh_intents") == 0
        });
        engine.until_status(status);
        world.assert_honest(&engine);
        assert_eq!(world.provider.state().refreshes, refreshes, "{step}");
        assert_eq!(
            engine.authorize(&world.provider),
            ref_id,
            "{step}: the way back"
        );
        engine.until_status("connected");
        world.assert_honest(&engine);
    }
}

#[test]
fn the_end_of_a_grant() {
    let world = RealWorld::new();
    let engine = world.start();
    engine.authorize(&world.provider);
    assert!(engine.stop().status.success());
    world.age_tokens();
    world.provider.end_grant();
    let step = "refresh.answered";
    assert_killed(world.setup().with("FAILPOINT", step).spawn(), step);
    let engine = world.start();
    engine.until_status("expired");
    world.assert_honest(&engine);
}

#[test]
fn disconnect() {
    for (step, there) in [("disconnect.written", 1), ("disconnect.stored", 0)] {
        let world = RealWorld::new();
        let engine = world.start();
        let ref_id = engine.authorize(&world.provider);
        assert!(engine.stop().status.success());
        let path = format!("/assets/connections/{ref_id}");
        let engine = world.start_to_die_at(step);
        assert!(engine.call("DELETE", &path, None).is_none());
        assert_killed(engine, step);

        let engine = world.start();
        world.assert_honest(&engine);
        assert_eq!(engine.list().len(), there, "{step}");
        if there == 1 {
            assert_eq!(engine.ask("DELETE", &path, None).0, 204);
        }
        engine.until("both tokens are revoked", || {
            world.provider.state().revoked.len() == 2
        });
        assert_eq!(engine.list().len(), 0);
    }
}

#[test]
fn revocation() {
    for step in ["revocation.answered", "revocation.stored"] {
        let world = RealWorld::new();
        let engine = world.start();
        let ref_id = engine.authorize(&world.provider);
        assert!(engine.stop().status.success());
        let engine = world.start_to_die_at(step);
        // It may end before its answer is out.
        drop(engine.call("DELETE", &format!("/assets/connections/{ref_id}"), None));
        assert_killed(engine, step);

        let engine = world.start();
        let brain = world.volume.brain();
        engine.until("nothing is left to revoke", || {
            sql::number(&brain, "SELECT COUNT(*) FROM pending_revocations") == 0
        });
        assert_eq!(engine.list().len(), 0);
        let state = world.provider.state();
        assert!(state.access_tokens.is_empty() && state.refresh_tokens.is_empty());
    }
}

#[test]
fn a_clean_stop_with_a_refresh_in_flight_loses_nothing() {
    let world = RealWorld::new();
    let engine = world.start();
    engine.authorize(&world.provider);
    assert!(engine.stop().status.success());
    world.age_tokens();
    world
        .provider
        .set(|behaviour| behaviour.token_delay = std::time::Duration::from_millis(500));
    let engine = world.start();
    engine.until("the token is spent", || {
        world.provider.state().refreshes == 1
    });
    assert!(engine.stop().status.success());
    let engine = world.start();
    engine.until_status("connected");
    world.assert_honest(&engine);
    assert_eq!(world.provider.state().refreshes, 1);
}
