//! Refresh: one at a time, durable before use, and a way back from every end.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use super::world::World;
use crate::support::sql;

async fn connected() -> (World, String) {
    let world = World::start().await;
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    (world, ref_id)
}

impl World {
    fn generation(&self, ref_id: &str) -> u64 {
        self.handle(ref_id).state().generation
    }

    /// The bearer token that a request would carry now.
    fn bearer(&self, ref_id: &str) -> String {
        let source = self
            .engine
            .app
            .assets
            .credential_source(&self.handle(ref_id));
        let credential = source.credential().unwrap().unwrap();
        let value = secrecy::ExposeSecret::expose_secret(&credential.value).to_owned();
        value.strip_prefix("Bearer ").unwrap().to_owned()
    }

    fn accepts(&self, token: &str) -> bool {
        self.provider.state().access_tokens.contains_key(token)
    }
}

#[tokio::test]
async fn fifty_calls_with_a_refused_token_make_one_refresh() {
    let (world, ref_id) = connected().await;
    let connection = world.handle(&ref_id);
    world
        .provider
        .set(|behaviour| behaviour.token_delay = Duration::from_millis(50));
    for round in 1..=20 {
        world.provider.end_access_tokens();
        let refused = world.generation(&ref_id);
        let renewals = (0..50).map(|_| world.engine.app.assets.renew(&connection, refused));
        let outcomes = futures::future::join_all(renewals).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(world.provider.state().refreshes, round);
        assert!(world.accepts(&world.bearer(&ref_id)));
        // Whoever comes late with the old one finds the new one.
        world
            .engine
            .app
            .assets
            .renew(&connection, refused)
            .await
            .unwrap();
        assert_eq!(world.provider.state().refreshes, round);
    }
}

#[tokio::test]
async fn fifty_calls_while_the_provider_is_in_trouble_make_one_refresh_too() {
    let (world, ref_id) = connected().await;
    let connection = world.handle(&ref_id);
    world
        .provider
        .set(|behaviour| behaviour.token_status = Some(503));
    world.provider.end_access_tokens();
    let renewals = (0..50).map(|_| world.engine.app.assets.renew(&connection, 1));
    let outcomes = futures::future::join_all(renewals).await;
    for outcome in outcomes {
        let error = outcome.unwrap_err().to_string();
        assert!(
            error.contains("could not be refreshed") && error.contains("503"),
            "{error}"
        );
    }
    assert_eq!(world.provider.state().refreshes, 1);
    assert_eq!(world.status(&ref_id).await, "connected");
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_ends() {
    let (world, ref_id) = connected().await;
    let first = world.bearer(&ref_id);
    // A fifth of an hour is more than ten minutes, and the jitter adds a quarter at most.
    world.pass(Duration::from_secs(3600 - 751)).await;
    assert_eq!(world.provider.state().refreshes, 0);
    world.pass(Duration::from_secs(151)).await;
    world
        .until("it is refreshed", async || world.generation(&ref_id) == 2)
        .await;
    assert_ne!(world.bearer(&ref_id), first);
    let connection = world.connection(&ref_id).await;
    assert_eq!(connection["status"], "connected");
    assert_eq!(connection["last_refresh"], "2026-01-01T00:50:00Z");
    assert_eq!(connection["expires_at"], "2026-01-01T01:50:00Z");
    assert_eq!(connection["scopes"], json!(["calendar.read"]));
}

#[tokio::test]
async fn a_rotated_refresh_token_replaces_the_old_one_many_times() {
    let (world, ref_id) = connected().await;
    world
        .provider
        .set(|behaviour| behaviour.expires_in = Some(10));
    for round in 2..=30 {
        world.engine.clock.advance(Duration::from_mins(1));
        let connection = world.handle(&ref_id);
        world
            .engine
            .app
            .assets
            .renew(&connection, round - 1)
            .await
            .unwrap();
        assert_eq!(world.generation(&ref_id), round);
    }
    let state = world.provider.state();
    assert_eq!((state.spent.len(), state.refresh_tokens.len()), (29, 1));
}

#[tokio::test]
async fn a_grant_that_the_provider_ended_is_expired_at_once_and_comes_back_under_its_id() {
    let (world, ref_id) = connected().await;
    world.provider.end_grant();
    let connection = world.handle(&ref_id);
    let error = world
        .engine
        .app
        .assets
        .renew(&connection, 1)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("connect it again"), "{error}");
    let shown = world.connection(&ref_id).await;
    assert_eq!(shown["status"], "expired");
    assert!(
        shown["last_error"]["message"]
            .as_str()
            .unwrap()
            .contains("invalid_grant"),
        "{shown}"
    );
    assert!(world.engine.app.assets.ready(&connection).await.is_err());
    assert_eq!(
        world.provider.state().refreshes,
        1,
        "a dead grant is not asked about again"
    );
    let left = sql::number_async(
        &world.engine.volume.brain(),
        "SELECT COUNT(*) FROM connections WHERE credentials IS NOT NULL",
    )
    .await;
    assert_eq!(left, 0);

    let (again, auth_url) = world.begin(json!({ "server_name": "oauth" })).await;
    assert_eq!(again, ref_id);
    assert_eq!(
        world.status(&ref_id).await,
        "pending_oauth",
        "somebody may be at the provider"
    );
    let denied = world.callback(&world.provider.deny(&auth_url)).await;
    assert_eq!(denied.status(), 400);
    assert_eq!(world.status(&ref_id).await, "expired", "it is what it was");
    world.authorize(json!({ "server_name": "oauth" })).await;
    assert_eq!(world.status(&ref_id).await, "connected");
    world.engine.app.assets.ready(&connection).await.unwrap();
}

#[tokio::test]
async fn a_provider_in_trouble_is_asked_again_after_one_second_doubling() {
    let (world, ref_id) = connected().await;
    world
        .provider
        .set(|behaviour| behaviour.token_status = Some(500));
    world.pass(Duration::from_mins(50)).await;
    let mut asked = 1;
    for wait in [1, 2, 4, 8, 16, 32] {
        world
            .until("the try is over", async || {
                world.provider.state().refreshes == asked && world.idle(&ref_id)
            })
            .await;
        world.pass(Duration::from_millis(wait * 899)).await;
        assert_eq!(
            world.provider.state().refreshes,
            asked,
            "not before {wait} s less a tenth"
        );
        world.pass(Duration::from_millis(wait * 202)).await;
        asked += 1;
    }
    world
        .until("the try is over", async || {
            world.provider.state().refreshes == asked && world.idle(&ref_id)
        })
        .await;
    assert_eq!(
        world.status(&ref_id).await,
        "connected",
        "the token has not ended yet"
    );
    world
        .provider
        .set(|behaviour| behaviour.token_status = None);
    world.pass(Duration::from_secs(71)).await;
    world
        .until("it is refreshed", async || world.generation(&ref_id) == 2)
        .await;
    assert_eq!(world.connection(&ref_id).await["last_error"], json!(null));
}

#[tokio::test]
async fn an_outage_longer_than_the_token_expires_the_connection_until_the_provider_is_back() {
    let (world, ref_id) = connected().await;
    world
        .provider
        .set(|behaviour| behaviour.token_status = Some(503));
    for _ in 0..20 {
        world.pass(Duration::from_secs(301)).await;
        world
            .until("the try is over", async || world.idle(&ref_id))
            .await;
    }
    assert_eq!(world.status(&ref_id).await, "expired");
    let connection = world.handle(&ref_id);
    assert!(world.engine.app.assets.ready(&connection).await.is_err());
    world
        .provider
        .set(|behaviour| behaviour.token_status = None);
    world.pass(Duration::from_secs(331)).await;
    world
        .until("it is back by itself", async || {
            world.status(&ref_id).await == "connected"
        })
        .await;
    world.engine.app.assets.ready(&connection).await.unwrap();
}

impl World {
    /// Is no refresh under way?
    fn idle(&self, ref_id: &str) -> bool {
        !self.handle(ref_id).is_refreshing()
    }
}

#[tokio::test]
async fn a_call_with_a_token_that_has_ended_refreshes_it_first() {
    let (world, ref_id) = connected().await;
    let connection = world.handle(&ref_id);
    world.engine.clock.advance(Duration::from_hours(1));
    world.engine.app.assets.ready(&connection).await.unwrap();
    assert_eq!(world.generation(&ref_id), 2);
}

#[tokio::test]
async fn a_token_without_a_refresh_token_ends_when_its_time_is_up() {
    let world = World::start().await;
    world
        .provider
        .set(|behaviour| behaviour.refresh_tokens = false);
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    world.pass(Duration::from_secs(3599)).await;
    assert_eq!(world.status(&ref_id).await, "connected");
    world.pass(Duration::from_secs(1)).await;
    world
        .until("it has ended", async || {
            world.status(&ref_id).await == "expired"
        })
        .await;
    assert_eq!(world.provider.state().refreshes, 0);
}

#[tokio::test]
async fn a_token_that_cannot_be_refreshed_and_is_refused_early_is_revoked() {
    let world = World::start().await;
    world
        .provider
        .set(|behaviour| behaviour.refresh_tokens = false);
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    let connection = world.handle(&ref_id);
    assert!(world.engine.app.assets.renew(&connection, 1).await.is_err());
    assert_eq!(world.status(&ref_id).await, "revoked");
    world.authorize(json!({ "server_name": "oauth" })).await;
    assert_eq!(world.status(&ref_id).await, "connected");
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_the_refresh() {
    let (world, ref_id) = connected().await;
    world
        .provider
        .set(|behaviour| behaviour.token_delay = Duration::from_millis(200));
    let connection = world.handle(&ref_id);
    {
        let renewal = world.engine.app.assets.renew(&connection, 1);
        tokio::pin!(renewal);
        tokio::select! {
            _ = &mut renewal => panic!("answered before the provider did"),
            () = world.until("the token is spent", async || world.provider.state().refreshes == 1) => {}
        }
    }
    world
        .until("the new one is stored", async || {
            world.generation(&ref_id) == 2
        })
        .await;
    assert!(world.accepts(&world.bearer(&ref_id)));
}

#[tokio::test]
async fn a_stop_waits_for_a_refresh_in_flight() {
    let (world, ref_id) = connected().await;
    world
        .provider
        .set(|behaviour| behaviour.token_delay = Duration::from_millis(300));
    let connection = world.handle(&ref_id);
    assert!(world.engine.app.assets.begin_refresh(&connection));
    world
        .until("the token is spent", async || {
            world.provider.state().refreshes == 1
        })
        .await;
    world.engine.app.assets.finish().await;
    assert_eq!(world.generation(&ref_id), 2);
}

#[tokio::test]
async fn a_disconnect_during_a_refresh_wins_and_the_new_tokens_are_revoked() {
    let (world, ref_id) = connected().await;
    world
        .provider
        .set(|behaviour| behaviour.token_delay = Duration::from_millis(200));
    let connection = world.handle(&ref_id);
    let gone = async {
        world
            .until("the token is spent", async || {
                world.provider.state().refreshes == 1
            })
            .await;
        world
            .request("DELETE", &format!("/assets/connections/{ref_id}"), None)
            .await
    };
    let (renewed, gone) = tokio::join!(world.engine.app.assets.renew(&connection, 1), gone);
    assert_eq!(gone.status(), 204);
    assert!(renewed.unwrap_err().to_string().contains("disconnected"));
    world.pass(Duration::ZERO).await;
    world
        .until("nothing is alive at the provider", async || {
            world.pass(Duration::from_secs(10)).await;
            let state = world.provider.state();
            state.access_tokens.is_empty() && state.refresh_tokens.is_empty()
        })
        .await;
    assert_eq!(world.get("/assets/connections").await, json!([]));
}

#[tokio::test]
async fn a_reconnect_during_a_refresh_wins() {
    let (world, ref_id) = connected().await;
    let (_, auth_url) = world
        .begin(json!({ "server_name": "oauth", "reconnect": true }))
        .await;
    let back = world.provider.consent(&auth_url);
    world
        .provider
        .set(|behaviour| behaviour.token_delay = Duration::from_millis(200));
    let connection = world.handle(&ref_id);
    let reconnected = async {
        world
            .until("the token is spent", async || {
                world.provider.state().refreshes == 1
            })
            .await;
        world
            .provider
            .set(|behaviour| behaviour.token_delay = Duration::ZERO);
        world.callback(&back).await
    };
    let (renewed, page) = tokio::join!(world.engine.app.assets.renew(&connection, 1), reconnected);
    renewed.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(world.generation(&ref_id), 2);
    world.engine.app.assets.renew(&connection, 2).await.unwrap();
    assert!(world.accepts(&world.bearer(&ref_id)));
}

#[tokio::test]
async fn a_clock_that_jumps_neither_loses_nor_repeats_anything() {
    let (world, ref_id) = connected().await;
    world.pass(Duration::from_hours(24 * 365)).await;
    world
        .until("it is refreshed", async || {
            world.generation(&ref_id) == 2 && world.idle(&ref_id)
        })
        .await;
    world.pass(Duration::ZERO).await;
    world
        .until("nothing is due", async || world.idle(&ref_id))
        .await;
    assert_eq!(world.provider.state().refreshes, 1);
    let state = world.handle(&ref_id).state();
    let left = state
        .expires_at
        .unwrap()
        .duration_since(world.engine.clock.now());
    assert_eq!(left, SignedDuration::from_hours(1));
}

#[tokio::test]
async fn a_server_that_refuses_every_token_does_not_make_the_engine_refresh_forever() {
    let (world, ref_id) = connected().await;
    let connection = world.handle(&ref_id);
    for _ in 0..60 {
        drop(
            world
                .engine
                .app
                .assets
                .renew(&connection, world.generation(&ref_id))
                .await,
        );
    }
    assert_eq!(world.provider.state().refreshes, 20);
    world.engine.clock.advance(Duration::from_secs(30));
    world
        .engine
        .app
        .assets
        .renew(&connection, world.generation(&ref_id))
        .await
        .unwrap();
}

#[tokio::test]
async fn slacks_nested_answer_is_understood_at_both_ends() {
    let world = World::start().await;
    world.provider.set(|behaviour| behaviour.like_slack = true);
    let ref_id = world.authorize(json!({ "server_name": "oauth" })).await;
    assert!(world.accepts(&world.bearer(&ref_id)));
    world
        .engine
        .app
        .assets
        .renew(&world.handle(&ref_id), 1)
        .await
        .unwrap();
    assert!(world.accepts(&world.bearer(&ref_id)));
}

#[tokio::test]
async fn a_server_that_moved_to_another_host_does_not_get_the_old_token() {
    let (world, ref_id) = connected().await;
    let mut entries = world.provider.entries();
    entries[0]["url"] = json!("http://127.0.0.1:9/mcp");
    world.provider.write_catalog(&world.catalog, &entries);
    world.post("/admin/reload-catalog", json!({})).await;
    let source = world
        .engine
        .app
        .assets
        .credential_source(&world.handle(&ref_id));
    let problem = source.credential().unwrap_err();
    assert!(problem.contains("connect again"), "{problem}");
    // And that it can be connected again without being asked on purpose.
    let (status, answer) = world.connect(json!({ "server_name": "oauth" })).await;
    assert_eq!(
        (status, &answer["error"]),
        (502, &json!("MCP_CONNECTION_FAILED")),
        "{answer}"
    );
}
